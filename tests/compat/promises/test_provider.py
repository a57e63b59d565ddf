"""The installed package as Airflow sees it: the provider, its connection form, its hook."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import airflow
from airflow.providers.common.compat.sdk import Connection
from airflow.providers_manager import ProvidersManager

import airflow_provider_learning360
from airflow_provider_learning360.api.settings import extra_settings
from airflow_provider_learning360.hooks.learning import LearningHook
from airflow_provider_learning360.provider_info import get_provider_info

AIRFLOW = tuple(int(part) for part in version("apache-airflow").split(".")[:2])
(CONNECTION_TYPE,) = get_provider_info()["connection-types"]
IN_API_SERVER = (3, 0) <= AIRFLOW < (3, 2)
unless_in_api_server = pytest.mark.skipif(IN_API_SERVER, reason="Airflow makes the form in its API server")
PATIENCE = 120  # seconds
SERVE = """
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

(form,) = [one for one in HookMetaService.hook_meta_data() if one.connection_type == "learning360"]
print(form.model_dump_json())
"""
PREFIX = "extra__learning360__"


def test_package_is_imported_from_the_wheel() -> None:
    assert Path(airflow_provider_learning360.__file__).is_relative_to(sys.prefix)


def test_provider_is_found() -> None:
    provider = ProvidersManager().providers["airflow-provider-learning360"]

    assert provider.version == airflow_provider_learning360.__version__
    hook = ProvidersManager().hooks["learning360"]
    assert hook is not None
    assert hook.hook_name == "360Learning"
    assert hook.hook_class_name == f"{LearningHook.__module__}.{LearningHook.__name__}"


def test_description_is_valid() -> None:
    # Airflow 3.4 only warns of a description that is not valid.
    schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text("utf-8"))

    jsonschema.validate(get_provider_info(), schema)


@pytest.mark.promise("form")
@unless_in_api_server
def test_form_has_a_field_for_each_extra() -> None:
    widgets = ProvidersManager().connection_form_widgets
    fields = {name.removeprefix(PREFIX) for name in widgets if name.startswith(PREFIX)}

    assert fields == set(extra_settings())
    declared = CONNECTION_TYPE["conn-fields"] if AIRFLOW >= (3, 2) else LearningHook.get_connection_form_widgets()
    assert fields == set(declared)


@pytest.mark.promise("form")
@unless_in_api_server
def test_form_names_company_id_and_api_key() -> None:
    behaviour: Any = ProvidersManager().field_behaviours["learning360"]
    served = {name.replace("_", "-"): value for name, value in behaviour.items()}

    # Airflow adds a prefix to the placeholders of extras; this provider has none.
    assert served == CONNECTION_TYPE["ui-field-behaviour"]


@pytest.mark.promise("form")
@pytest.mark.skipif(not IN_API_SERVER, reason="other versions have no such service")
def test_form_is_served_by_the_api_server() -> None:
    done = subprocess.run([sys.executable, "-c", SERVE], capture_output=True, text=True, check=True, timeout=PATIENCE)
    served = json.loads(done.stdout.splitlines()[-1])

    assert set(served["extra_fields"]) == set(extra_settings())
    assert {one["schema"]["type"][0] for one in served["extra_fields"].values()} == {"string"}
    labels = {name: one["title"] for name, one in served["standard_fields"].items() if one and one["title"]}
    assert labels == CONNECTION_TYPE["ui-field-behaviour"]["relabeling"]


def test_connection_gives_the_hook() -> None:
    hook = Connection(conn_id="mine", conn_type="learning360", host="h", login="l", password="p").get_hook()

    assert type(hook) is LearningHook
    assert hook.learning_conn_id == "mine"


@pytest.mark.promise("fetch")
@pytest.mark.parametrize("auth", ["headers", "query", "oauth2"])
def test_hook_reads(auth: str, learning360_simulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    simulator = learning360_simulator
    # An older form sends text only.
    extra = {"auth": auth, "timeout": "5.5", "retry_attempts": "2", "verify": "true", "trust_env": "false"}
    connection = {
        "conn_type": "learning360",
        "host": simulator.url,
        "login": simulator.company_id,
        "password": simulator.api_key,
        "extra": extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_MINE", json.dumps(connection))
    hook = LearningHook("mine")

    assert hook.test_connection()[0] is True
    assert len(hook.list_program_sessions()) == len(simulator.session_ids)
    session_id = simulator.session_ids[0]
    assert hook.get_program_session(session_id).document() == simulator.session(session_id)
    assert hook.run(f"/api/v1/programs/sessions/{session_id}/").json() == simulator.session(session_id)
