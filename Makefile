# Everything builds what it needs in .venv by itself. Python 3.11 or later and make are all that must be there.
PYTHON ?= python3
UV_VERSION := 0.13.9
CONSTRAINTS := constraints/airflow-3.3.2.txt
BIN := .venv/bin
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
# A tool that the tests use reports each run to its authors, unless this is set.
export DO_NOT_TRACK := True
# The tests start many processes. Where bytecode may not be written, each would compile all modules again.
export PYTHONDONTWRITEBYTECODE :=

# Three processes share the tests, because many tests only wait for a server or for Airflow; tests/conftest.py says which
# tests must stay together.
SIDE_BY_SIDE := -n 3 --benchmark-disable

# Coverage nearly doubles the time of the tests on Python 3.11. So `make test-all` and .ci/run measure that of `make test`.
COVERAGE ?=

# $(call run_tests,target,marks,program): run tests, and say how long that took.
define run_tests
@echo "==> pytest -m '$(2)'"
@began=$$(date +%s); \
$(BIN)/$(3) -m pytest -q $(SIDE_BY_SIDE) -m '$(2)' $(ARGS); \
status=$$?; took=$$(($$(date +%s) - began)); \
printf '==> make $(1) took %d min %02d s\n' $$((took / 60)) $$((took % 60)); exit $$status
endef

.PHONY: help demo test test-all test-rest test-v2 browser lint airflow compat matrix docs dist bench soak cluster servers model \
	fuzz catalogue page-library clean
.DEFAULT_GOAL := help

help: ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

.venv/ready: pyproject.toml $(CONSTRAINTS)
	@echo "==> building .venv (Airflow 3.3.2 and the tools; about a minute, once)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --constraint $(CONSTRAINTS) --editable . --group dev
	@touch $@

demo: .venv/ready ## See a DAG fetch a session, wait, notice its change and hand it on (API_VERSION=v2 for API v2)
	@$(BIN)/python demo/demo.py

test: .venv/ready ## Run the tests of the development loop, with a real Airflow (about 6 minutes on two cores)
	@$(if $(COVERAGE),$(BIN)/coverage erase)
	$(call run_tests,test,not slow,$(if $(COVERAGE),coverage run,python))
	@$(if $(COVERAGE),$(BIN)/coverage combine --quiet && $(BIN)/coverage report --fail-under=95)

test-all: ## Run `test`, `test-rest` and `test-v2`, and measure the coverage of the first
	@$(MAKE) --no-print-directory test COVERAGE=1
	@$(MAKE) --no-print-directory test-rest
	@$(MAKE) --no-print-directory test-v2

test-rest: .venv/ready ## Run the slow tests: kills, browser, dialects, memory, all cases of long products
	$(call run_tests,test-rest,slow,python)

test-v2: .venv/ready ## Run examples, waiting, watching and reminding on a real Airflow through API v2
	@echo "==> pytest -m both_versions, API v2"
	@API_VERSION=v2 $(BIN)/pytest -q $(SIDE_BY_SIDE) -m both_versions $(ARGS)

browser: ## Install Chromium for the tests of the page (Debian, Ubuntu)
	@echo "==> Chromium"
	@$(SUDO) apt-get update -qq
	@$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium > /dev/null

page-library: .venv/ready ## Fetch the pinned library of the page (Preact, htm) again; needs npm
	@$(BIN)/python tests/page_library.py

lint: .venv/ready ## Check style and types
	@echo "==> ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@echo "==> mypy --strict"
	@$(BIN)/mypy

airflow: .venv/ready ## Start a local Airflow with the examples, on port 8080 (make airflow PORT=8081 for another; API_VERSION=v2 for API v2)
	@$(BIN)/python demo/local_airflow.py --port $(or $(PORT),8080)

compat: .venv/ready ## Test the built wheel with the oldest and newest Airflow, and with the lowest versions of packages
	@$(BIN)/python tests/compat/run.py $(ARGS)

matrix: .venv/ready ## Test the built wheel on each Airflow from 2.11 to 3.4, with its oldest and newest Python; writes the table in docs/
	@$(BIN)/python tests/compat/run.py --all --record $(ARGS)

docs: .venv/ready ## Build the documentation; a warning is an error
	@echo "==> sphinx"
	@$(BIN)/sphinx-build -q -E -n -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

dist: .venv/ready ## Build wheel and sdist, check both, and run the README's DAG from each
	@$(BIN)/python tests/compat/dist.py

# Without the peers, their cells in the table say so.
.venv/peers: .venv/ready
	@echo "==> dbt Cloud's and Airbyte's providers as peers, and matplotlib"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint $(CONSTRAINTS) --group bench && touch $@ \
		|| echo "They could not be installed: going on without them."

bench: .venv/peers ## Measure beside peers, and write docs/benchmarks.md and its plots (about 20 minutes on two quiet cores)
	@$(BIN)/pytest -q tests/benchmarks --benchmark-only $(ARGS)

soak: .venv/ready ## Kill services at 50 random moments; no change may be lost (about 10 minutes; AIRFLOW=3.1.8: on that one)
	@$(if $(AIRFLOW),ls .compat/$(AIRFLOW)*/bin/python > /dev/null 2>&1 || $(BIN)/python tests/compat/run.py $(AIRFLOW))
	@PYTHONPATH=src $(if $(AIRFLOW),$$(ls -d .compat/$(AIRFLOW)*/bin/python | head -1),$(BIN)/python) tests/soak/run.py $(ARGS)

cluster: .venv/ready servers ## Kill processes of a Celery cluster, and count lost and repeated (about 20 minutes; SEED=1 EVENTS=25)
	@$(BIN)/python tests/cluster/environment.py
	@.cluster/env/bin/python tests/cluster/run.py --seed $(or $(SEED),1) --events $(or $(EVENTS),25) $(ARGS)

servers: ## Install PostgreSQL and Redis for `cluster`, if they are not there (Debian, Ubuntu)
	@ls /usr/lib/postgresql/*/bin/postgres > /dev/null 2>&1 && command -v redis-server > /dev/null \
		|| { echo "==> PostgreSQL and Redis" && $(SUDO) apt-get update -qq \
		&& $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			postgresql redis-server > /dev/null; }

model: .venv/ready ## Try 100,000 random orders of edits, crashes and late responses on the watchers (about an hour)
	@LEARNING360_MODEL_RUNS=$(or $(RUNS),100000) LEARNING360_MODEL_SEED=$(or $(SEED),random) \
		$(BIN)/pytest -q --show-capture=no tests/triggers/test_model.py $(ARGS)

fuzz: .venv/ready ## Run the property tests with new random examples; prints how to repeat a failure
	@HYPOTHESIS_PROFILE=random $(BIN)/pytest -q $(SIDE_BY_SIDE) -m property $(ARGS)

catalogue: .venv/ready ## Refresh the catalogue of API v2 from the vendor's OpenAPI file (make catalogue SPEC=file.json)
	@$(BIN)/python tests/catalogue/run.py '$(SPEC)'

clean: ## Remove everything that was built
	@rm -rf .venv .cluster .compat .airflow dist docs/_build .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks
