"""Refreshing the catalogue: facts come from the vendor's file, our own words stay, and every change is reported."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_learning360.api.catalogue.catalogue import read_file
from airflow_provider_learning360.api.catalogue.operation import CatalogueData
from airflow_provider_learning360.api.catalogue.operation_names import build_name
from airflow_provider_learning360.api.catalogue.refresh import refresh_catalogue
from airflow_provider_learning360.api.errors import FixArgumentError
from catalogue.run import FILE, NO_SPEC, main
from contract.vendor import MISSING, find_contract

ID = {"type": "string", "pattern": "^[a-fA-F0-9]{24}$"}
KEY = "> 🔑\n>\n> Required OAuth scope: `{}`.\n\n"
PAGES = "> 📖\n>\n> This endpoint is paginated with a page size of {} hats. For more information, read the guide.\n\n"
CONTRACT = find_contract()


def answer(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}, "description": "Returns it."}


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def hat_file() -> dict[str, Any]:
    """Return a made-up file of the Core API, in the style of the vendor's."""
    version = {"name": "360-api-version", "in": "header", "required": True, "schema": {"type": "string"}}
    hat_id = {"name": "hatId", "in": "path", "required": True, "schema": {**ID, "format": "ObjectId"}}
    size = {
        "name": "size",
        "in": "query",
        "style": "deepObject",
        "schema": {"properties": {"in": {"type": "array", "items": {"type": "integer"}}, "eq": {"type": "integer"}}},
    }
    return {
        "openapi": "3.1.0",
        "paths": {
            "/api/v2/hats": {
                "get": {
                    "summary": "List all hats",
                    "description": KEY.format("hats:read") + PAGES.format("2,000") + "Lists all hats.",
                    "operationId": "v2.hats.GetHatsController_getHats",
                    "tags": ["Tall Hats"],
                    "parameters": [version, size],
                    "responses": {"200": answer({"type": "array", "items": ref("HatDTO")})},
                },
                "post": {
                    "summary": "Create a hat (internal only)",
                    "tags": ["Tall Hats"],
                    "responses": {"201": answer(ref("SecretHatDTO"))},
                },
            },
            "/api/v2/hats/{hatId}": {
                "put": {
                    "summary": "Replace a hat",
                    "description": KEY.format("hats:write") + "Replaces a hat.",
                    "operationId": "v2.hats.ReplaceHatController_replaceHat",
                    "tags": ["Tall Hats"],
                    "parameters": [version, hat_id],
                    "requestBody": {"content": {"application/json": {"schema": ref("HatDTO")}}},
                    "responses": {"200": answer(ref("HatDTO"))},
                },
            },
            "/api/v2/oauth2/token": {"post": {"tags": ["Authentication"], "responses": {"200": answer({})}}},
        },
        "components": {
            "schemas": {
                "HatDTO": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string", "description": "The vendor's words."},
                        "brim": ref("BrimDTO"),
                    },
                },
                "BrimDTO": {"type": "object", "properties": {"width": {"type": "integer", "nullable": True}}},
                "SecretHatDTO": {"type": "object", "properties": {}},
            }
        },
    }


def hat_catalogue() -> CatalogueData:
    """Return a catalogue with the operations of the made-up file, one that the file lacks, and one of another part."""
    operations: dict[str, Any] = {
        "list-hats": {
            "method": "GET",
            "path": "/api/v2/hats",
            "topic": "Hats",
            "text": "Lists the hats.",
            "scope": "hats:read",
            "repeat": "read",
            "usual": True,
            "confidence": "documented",
            "page_size": 2000,
            "parameters": [
                {
                    "name": "size",
                    "place": "query",
                    "operators": ["eq", "in"],
                    "schema": {"type": "integer"},
                    "text": "Size of the hat.",
                }
            ],
            "answer": {"status": 200, "schema": {"type": "array", "items": {"$ref": "#/schemas/HatDTO"}}},
            "example": {"parameters": {"size[eq]": 7}},
            "reference": "https://360learning.readme.io/reference/v2hatsgethatscontroller_gethats",
        },
        "change-hat": {
            "method": "PUT",
            "path": "/api/v2/hats/{hatId}",
            "topic": "Hats",
            "text": "Changes a hat.",
            "scope": "hats:write",
            "repeat": "once",
            "replaces": "the hat",
            "people": True,
            "confidence": "documented",
            "warning": "Hats are fragile.",
            "parameters": [{"name": "hatId", "place": "path", "required": True, "schema": ID}],
            "body": {"schema": {"$ref": "#/schemas/HatDTO"}},
            "answer": {"status": 200, "schema": {"$ref": "#/schemas/HatDTO"}},
            "reference": "https://360learning.readme.io/reference/v2hatsreplacehatcontroller_replacehat",
        },
        "bulk-create-hats": {
            "method": "POST",
            "path": "/api/v2/bulk/hats",
            "topic": "Hats",
            "text": "Creates many hats.",
            "repeat": "once",
            "asynchronous": True,
            "confidence": "documented",
            "body": {"schema": {"$ref": "#/schemas/BulkHatDTO"}},
            "answer": {"status": 202},
        },
    }
    schemas: dict[str, Any] = {
        "BrimDTO": {"type": "object", "properties": {"width": {"type": ["integer", "null"]}}},
        "BulkHatDTO": {"type": "object", "properties": {"name": {"type": "string"}}},
        "HatDTO": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "description": "Our words."},
                "brim": {"$ref": "#/schemas/BrimDTO"},
            },
        },
    }
    return {"version": "v2", "operations": operations, "schemas": schemas}


def refreshed(data: CatalogueData, document: dict[str, Any]) -> CatalogueData:
    return refresh_catalogue(data, document).data


@pytest.mark.parametrize("part", ["core", "bulk", "webhook"])
def test_file_without_news_changes_nothing(part: str) -> None:
    if CONTRACT is None:
        pytest.skip(MISSING)
    document = json.loads(CONTRACT.with_name(f"360learning-v2-{part}.json").read_text("utf-8"))
    found = refresh_catalogue(read_file("v2"), document)
    assert found.changes == []
    assert found.summary.startswith("nothing changed: 159 operations")
    assert found.data == read_file("v2")


def test_made_up_file_without_news_changes_nothing() -> None:
    found = refresh_catalogue(hat_catalogue(), hat_file())
    assert found.changes == []
    assert json.dumps(found.data) == json.dumps(hat_catalogue())


def test_new_operation_comes_without_a_sentence() -> None:
    document = hat_file()
    new = copy.deepcopy(document["paths"]["/api/v2/hats"]["get"])
    new["operationId"] = "v2.hats.GetFeathersController_getFeathers"
    document["paths"]["/api/v2/hats/{hatId}/feathers"] = {"get": new}
    found = refresh_catalogue(hat_catalogue(), document)
    assert found.changes == [
        "came: list-hat-feathers (GET /api/v2/hats/{hatId}/feathers); write its text, and check its other words"
    ]
    assert found.summary == "1 came, 0 went, 0 changed: 4 operations, 3 schemas"
    added = found.data["operations"]["list-hat-feathers"]
    assert added["text"] == ""
    assert added["topic"] == "Hats"  # that of its neighbours, not the vendor's
    assert (added["scope"], added["page_size"], added["repeat"]) == ("hats:read", 2000, "read")
    assert added["reference"].endswith("/v2hatsgetfeatherscontroller_getfeathers")


def test_new_operation_without_neighbours_has_the_topic_of_the_vendor() -> None:
    document = hat_file()
    document["paths"]["/api/v2/shoes"] = {"get": {**document["paths"]["/api/v2/hats"]["get"], "tags": ["Good Shoes"]}}
    operations = refreshed(hat_catalogue(), document)["operations"]
    assert operations["list-shoes"]["topic"] == "Good shoes"
    assert list(operations)[-1] == "list-shoes"


def test_our_words_stay_where_facts_change() -> None:
    document = hat_file()
    write = document["paths"]["/api/v2/hats/{hatId}"]["put"]
    write["description"] = KEY.format("hats:admin") + "Replaces it."
    write["operationId"] = "v2.hats.SwapHatController_swapHat"
    write["parameters"].append({"name": "force", "in": "query", "schema": {"type": "boolean"}})
    schema = document["components"]["schemas"]["HatDTO"]
    schema["properties"] |= {"color": {"type": "string", "description": "The vendor's words."}}
    schema["properties"]["name"]["maxLength"] = 20
    del schema["properties"]["brim"]
    before = hat_catalogue()
    found = refresh_catalogue(before, document)
    assert found.changes == [
        "changed: change-hat (PUT /api/v2/hats/{hatId}): scope, parameters, reference",
        "changed: schema HatDTO ~name -brim +color",
        "went: schema BrimDTO",
    ]
    old, new = before["operations"]["change-hat"], found.data["operations"]["change-hat"]
    for word in ("topic", "text", "repeat", "replaces", "people", "confidence", "warning"):
        assert new[word] == old[word]  # type: ignore[literal-required]
    assert new["scope"] == "hats:admin"
    assert new["parameters"][1] == {"name": "force", "place": "query", "schema": {"type": "boolean"}}
    assert found.data["schemas"]["HatDTO"]["properties"] == {
        "name": {"type": "string", "maxLength": 20, "description": "Our words."},
        "color": {"type": "string"},
    }


def test_text_of_a_parameter_stays_where_its_type_changes() -> None:
    document = hat_file()
    size = document["paths"]["/api/v2/hats"]["get"]["parameters"][1]
    size["schema"]["properties"] = {"eq": {"type": "number"}}
    (parameter,) = refreshed(hat_catalogue(), document)["operations"]["list-hats"]["parameters"]
    assert parameter == {
        "name": "size",
        "place": "query",
        "operators": ["eq"],
        "schema": {"type": "number"},
        "text": "Size of the hat.",
    }


def test_what_a_stripped_file_does_not_say_stays() -> None:
    document = hat_file()
    for item in document["paths"].values():
        for operation in item.values():
            for word in ("description", "operationId", "summary"):
                operation.pop(word, None)
    del document["paths"]["/api/v2/hats"]["post"]  # known as internal by its summary only
    assert refresh_catalogue(hat_catalogue(), document).changes == []


def test_operation_that_the_file_lacks_goes() -> None:
    document = hat_file()
    del document["paths"]["/api/v2/hats/{hatId}"]
    found = refresh_catalogue(hat_catalogue(), document)
    assert found.changes == ["went: change-hat (PUT /api/v2/hats/{hatId})"]
    assert list(found.data["operations"]) == ["list-hats", "bulk-create-hats"]  # of another part, it stays


def test_deprecated_operation_goes() -> None:
    document = hat_file()
    document["paths"]["/api/v2/hats"]["get"]["deprecated"] = True
    assert refresh_catalogue(hat_catalogue(), document).changes == ["went: list-hats (GET /api/v2/hats)"]


def bulk_file(hat: dict[str, Any], brim: dict[str, Any]) -> dict[str, Any]:
    operation = {
        "requestBody": {"content": {"application/json": {"schema": ref("HatDTO")}}},
        "responses": {"202": {"description": "Later."}},
    }
    return {
        "paths": {"/api/v2/bulk/hats": {"post": operation}},
        "components": {"schemas": {"HatDTO": hat, "BrimDTO": brim}},
    }


def test_schema_that_two_files_use_differently_gets_a_name_of_its_own() -> None:
    core = hat_file()["components"]["schemas"]
    document = bulk_file(core["HatDTO"], {"type": "object", "properties": {"width": {"type": "string"}}})
    found = refresh_catalogue(hat_catalogue(), document)
    schemas = found.data["schemas"]
    # The hats themselves differ, too: by their brims.
    assert found.data["operations"]["bulk-create-hats"]["body"] == {"schema": {"$ref": "#/schemas/BulkHatDTO"}}
    assert schemas["BulkHatDTO"]["properties"]["brim"] == {"$ref": "#/schemas/BulkBrimDTO"}
    assert schemas["BulkBrimDTO"]["properties"] == {"width": {"type": "string"}}
    assert {name: schemas[name] for name in ("HatDTO", "BrimDTO")} == {
        name: hat_catalogue()["schemas"][name] for name in ("HatDTO", "BrimDTO")
    }
    assert refresh_catalogue(found.data, document).changes == []
    assert refresh_catalogue(found.data, hat_file()).changes == []


def test_schema_that_two_files_use_alike_is_shared() -> None:
    schemas = hat_file()["components"]["schemas"]
    data = refreshed(hat_catalogue(), bulk_file(schemas["HatDTO"], schemas["BrimDTO"]))
    assert data["operations"]["bulk-create-hats"]["body"] == {"schema": {"$ref": "#/schemas/HatDTO"}}
    assert list(data["schemas"]) == ["BrimDTO", "HatDTO"]


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        ([], "it has no paths"),
        (["/api/v2/plugin/oauth2/client-token"], "it has paths of Plugin"),
        (["/api/v2/uaa/users/me"], "it has paths of User-authorized"),
        (["/api/v2/hats", "/api/v2/bulk/hats"], "it has paths of Bulk and Core"),
        (["/pets"], "it has paths of another API"),
    ],
)
def test_another_file_is_refused(paths: list[str], words: str) -> None:
    with pytest.raises(FixArgumentError, match=words):
        refresh_catalogue(hat_catalogue(), {"paths": {path: {} for path in paths}, "components": {"schemas": {}}})


@pytest.mark.parametrize(
    ("method", "path", "is_list", "name"),
    [
        ("GET", "/api/v2/hats", True, "list-hats"),
        ("GET", "/api/v2/hats/{hatId}", False, "get-hat"),
        ("POST", "/api/v2/hats", False, "create-hat"),
        ("PATCH", "/api/v2/hats/{hatId}", False, "edit-hat"),
        ("DELETE", "/api/v2/bulk/hats/memberships", False, "bulk-delete-hat-memberships"),
        ("PUT", "/api/v2/paths/{pathId}/sessions/{sessionId}/userStats", False, "replace-path-session-user-stats"),
        ("GET", "/api/v2/groups/{groupId}/library/{contentType}-ids", True, "list-group-library-ids"),
        ("POST", "/api/v2/companies/{companyId}/address", False, "create-company-address"),
        ("GET", "/api/v2/taken", True, "list-taken-3"),
    ],
)
def test_name_is_built_from_method_and_path(method: str, path: str, is_list: bool, name: str) -> None:
    assert build_name(method, path, is_list, {"list-taken", "list-taken-2"}) == name


@pytest.mark.parametrize("arguments", [[], [""]])
def test_command_without_a_file_says_how_to_name_one(arguments: list[str]) -> None:
    assert main(arguments) == NO_SPEC
    assert "\n" not in NO_SPEC


def test_command_says_why_a_file_cannot_be_read(tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    assert str(main([str(broken)])).startswith(f"{broken}: ")
    assert "No such file" in str(main([str(tmp_path / "none.json")]))


def test_command_writes_the_catalogue_and_prints_the_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec, file = tmp_path / "spec.json", tmp_path / "v2.json"
    spec.write_text(json.dumps(hat_file()), "utf-8")
    file.write_text(FILE.read_text("utf-8"), "utf-8")
    assert main([str(spec)], file) is None
    lines = capsys.readouterr().out.splitlines()
    assert "came: list-hats (GET /api/v2/hats); write its text, and check its other words" in lines
    assert "went: list-users (GET /api/v2/users)" in lines
    assert " went, 0 changed: " in lines[-1]
    written = json.loads(file.read_text("utf-8"))
    assert written["operations"]["list-hats"]["text"] == ""
    assert main([str(spec)], file) is None
    assert capsys.readouterr().out.startswith("nothing changed: ")
