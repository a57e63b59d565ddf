"""The catalogue files: every operation has words that a person can read, and schemas that a validator can use."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from airflow_provider_learning360.api import catalogue as package
from airflow_provider_learning360.api.api_version import ApiVersion
from airflow_provider_learning360.api.catalogue.arguments import find_problems
from airflow_provider_learning360.api.catalogue.catalogue import find_operation, load_operations, read_file
from airflow_provider_learning360.api.catalogue.layout import format_catalogue
from airflow_provider_learning360.api.catalogue.operation import Operation, OperationData
from airflow_provider_learning360.api.catalogue.shared_schemas import find_used
from airflow_provider_learning360.api.errors import FixArgumentError

OPERATIONS = load_operations()
USUAL = [one for one in OPERATIONS.values() if one.data.get("usual")]
EACH_VERSION = pytest.mark.parametrize("version", get_args(ApiVersion))
LONGEST_TEXT = 140
LONGEST_WARNING = 200
MOST_WORDS = 20  # of a sentence
# A response with one of these fields is about people, or holds a secret.
PERSONAL = {"mail", "firstName", "lastName", "userId", "secret"}


def find_text_problem(text: str) -> str | None:
    """Return what is wrong with a sentence of documentation."""
    if not text:
        return "it is empty"
    if not text[0].isupper() or not text.endswith(".") or ". " in text:
        return "it is not one sentence"
    if not text.split(" ")[0].endswith("s"):
        return "it does not begin with a verb, such as 'Lists'"
    if len(text) > LONGEST_TEXT or len(text.split()) > MOST_WORDS:
        return "it is too long"
    return None


def schemas_of(operation: Operation) -> Iterator[dict[str, Any]]:
    yield from (one.schema for one in operation.parameters)
    if operation.body is not None:
        yield operation.body["schema"]
    if "schema" in operation.data["answer"]:
        yield operation.data["answer"]["schema"]


def fields_of(value: Any, operation: Operation) -> set[str]:
    """Return the names of all fields in a schema and in those to which it refers."""
    used = [operation.schemas[name] for name in find_used(value, operation.schemas)]
    return set(_find_fields([value, used]))


def _find_fields(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(fields := value.get("properties"), dict):
            yield from fields
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _find_fields(one)


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text inside a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from texts_in(one)


def test_catalogue_offers_all_documented_operations() -> None:
    assert len(OPERATIONS) >= 195


def test_every_operation_has_one_sentence() -> None:
    problems = {name: find_text_problem(one.data["text"]) for name, one in OPERATIONS.items()}
    assert {name: problem for name, problem in problems.items() if problem} == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Lists tags",
        "lists tags.",
        "Lists tags. All of them.",
        "List all tags.",
        "Lists tags, " + "and tags, " * 20 + "and tags.",
    ],
)
def test_bad_sentence_is_noticed(text: str) -> None:
    assert find_text_problem(text) is not None


def test_two_operations_of_one_version_have_different_sentences() -> None:
    for version in get_args(ApiVersion):
        texts = [one.data["text"] for one in OPERATIONS.values() if one.version == version]
        assert sorted(texts) == sorted(set(texts))


def test_warnings_are_short_sentences() -> None:
    for one in OPERATIONS.values():
        warning = one.data.get("warning", "Fine.")
        assert warning.endswith("."), one
        assert len(warning) <= LONGEST_WARNING, one
        assert max(len(sentence.split()) for sentence in re.split(r"[.:] ", warning)) <= MOST_WORDS, one


def test_topics_are_spelled_in_one_way() -> None:
    topics = {one.data["topic"] for one in OPERATIONS.values()}
    assert len({topic.casefold() for topic in topics}) == len(topics)
    assert {topic for topic in topics if topic[1:] != topic[1:].lower() and topic != "External IDs"} == set()


@EACH_VERSION
def test_file_is_laid_out_by_layout(version: ApiVersion) -> None:
    text = files(package).joinpath(f"{version}.json").read_text("utf-8")
    assert text == format_catalogue(json.loads(text))


@EACH_VERSION
def test_fields_of_an_operation_are_in_order(version: ApiVersion) -> None:
    order = list(OperationData.__annotations__)
    for name, one in read_file(version)["operations"].items():
        assert list(one) == sorted(one, key=order.index), name


@EACH_VERSION
def test_method_and_path_are_unique(version: ApiVersion) -> None:
    routes = [(one.method, one.path) for one in OPERATIONS.values() if one.version == version]
    assert len(routes) == len(set(routes))


def test_names_tell_the_version() -> None:
    for name, one in OPERATIONS.items():
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", name)
        assert name.endswith("-v1") == (one.version == "v1")
        assert one.path.startswith(f"/api/{one.version}/")


def test_path_parameters_are_those_in_braces() -> None:
    for one in OPERATIONS.values():
        in_path = [parameter for parameter in one.parameters if parameter.place == "path"]
        assert sorted(parameter.name for parameter in in_path) == sorted(re.findall(r"\{(\w+)\}", one.path)), one
        assert all(parameter.required and not parameter.operators for parameter in in_path), one


def test_schemas_are_valid() -> None:
    for version in get_args(ApiVersion):
        for schema in read_file(version)["schemas"].values():
            Draft202012Validator.check_schema(schema)
    for one in OPERATIONS.values():
        for schema in schemas_of(one):
            Draft202012Validator.check_schema(schema)


@EACH_VERSION
def test_every_shared_schema_is_used(version: ApiVersion) -> None:
    data = read_file(version)
    assert find_used(list(data["operations"].values()), data["schemas"]) == set(data["schemas"])


def test_only_reads_are_gets() -> None:
    for one in OPERATIONS.values():
        assert one.is_read == (one.method == "GET"), one


@pytest.mark.parametrize(
    "name",
    [
        "create-user",
        "create-path-session",
        "add-tokens",
        "rotate-webhook-secret",
        "retry-failed-webhook-events",
        "retry-successful-webhook-events",
        "bulk-import-integration-stats",
        "bulk-create-notification-subscriptions",
        "edit-classroom-slot",  # sends a mail each time
    ],
)
def test_what_would_happen_twice_is_sent_once(name: str) -> None:
    assert find_operation(name).repeat == "once"


@pytest.mark.parametrize(
    "name",
    [
        "add-user-to-group",
        "add-manager-to-user",
        "replace-user-password",
        "replace-path-session-audience",
        "edit-path-session",
        "delete-path-session",
        "bulk-add-users-to-groups",
        "bulk-remove-users-from-groups",
        "bulk-upsert-jobs",
        "enrol-user-in-program-session-v1",
    ],
)
def test_what_has_the_same_result_twice_may_be_repeated(name: str) -> None:
    assert find_operation(name).repeat == "repeatable"


def test_only_writes_replace_something() -> None:
    replacing = {name: one for name, one in OPERATIONS.items() if "replaces" in one.data}
    assert {"replace-path-session-audience", "replace-path-tags", "replace-path-steps"} <= set(replacing)
    for one in replacing.values():
        assert one.method == "PUT", one
        assert one.data["replaces"].startswith("the "), one
        assert one.body is not None, one


def test_operations_that_replace_a_list_say_so() -> None:
    for name, one in OPERATIONS.items():
        if one.version == "v2" and one.method == "PUT" and one.body is not None and "-upsert-" not in name:
            fields = one.body["schema"].get("$ref", "").rpartition("/")[2]
            kinds = [field.get("type") for field in one.schemas[fields]["properties"].values()]
            assert ("array" not in kinds) or "replaces" in one.data, one


def test_asynchronous_operations_answer_202() -> None:
    for one in OPERATIONS.values():
        assert one.is_asynchronous == (one.data["answer"]["status"] == 202), one
        assert one.is_asynchronous <= (not one.is_read), one


def test_answers_with_personal_fields_are_about_people() -> None:
    for one in OPERATIONS.values():
        schema = one.data["answer"].get("schema")
        if one.version == "v2" and fields_of(schema, one) & PERSONAL:
            assert one.data.get("people"), one
        if one.data.get("people"):
            assert schema, one


def test_counterparts_are_of_the_other_version() -> None:
    named = [one for one in OPERATIONS.values() if "counterpart" in one.data]
    assert len(named) > 40
    for one in named:
        assert find_operation(one.data["counterpart"]).version != one.version, one


def test_references_are_pages_of_the_vendor() -> None:
    for one in OPERATIONS.values():
        address = one.data.get("reference", "https://360learning.readme.io/reference")
        assert re.fullmatch(r"https://360learning\.readme\.io/reference(/[a-z0-9_-]+)?", address), one
    pages = [one.data["reference"] for one in OPERATIONS.values() if "reference" in one.data]
    assert len(pages) == len(set(pages))


def test_about_thirty_operations_are_usual() -> None:
    assert 30 <= len(USUAL) <= 40
    assert {one.version for one in USUAL} == {"v1", "v2"}


@pytest.mark.parametrize("operation", USUAL, ids=lambda one: one.name)
def test_usual_operation_has_an_example_that_works(operation: Operation) -> None:
    example = operation.data.get("example", {})
    assert find_problems(operation, example.get("parameters"), example.get("body")) == []
    for text in texts_in(example):
        assert "@" not in text or text.endswith("@example.com")
        assert not re.fullmatch(r"[0-9a-f]+", text) or len(text) == 24


@pytest.mark.parametrize("operation", USUAL, ids=lambda one: one.name)
def test_usual_operation_documents_its_parameters(operation: Operation) -> None:
    for one in operation.parameters:
        assert one.text.endswith("."), one.name


def test_only_usual_operations_have_examples() -> None:
    assert [one for one in OPERATIONS.values() if "example" in one.data and one not in USUAL] == []


def test_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(FixArgumentError, match="did you mean list-path-sessions"):
        find_operation("list-path-session")
