"""What holds for the templates of all steps: dependencies, and names in texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from blueprint import Blueprint

from airflow.exceptions import SerializationError

from airflow_provider_learning360.dag_yaml.references import Reference, find_references

ID = "60b8d2956e20ae1a0f8e44f1"
REFERENCE = '"{{ context.steps.sessions[0]._id }}"'
PATH = f'{{"pathId[eq]": {REFERENCE}}}'
# A field of each template with a text, and what else the template needs.
TEXTS = {
    "get_session": f"session_id: {REFERENCE}",
    "get_progress": f"session_id: {REFERENCE}",
    "list_sessions": f"template_id: {REFERENCE}",
    "wait_for_change": f"session_id: {REFERENCE}",
    "wait_for_completion": f"session_id: {REFERENCE}",
    "ask_before_sending": f"subject: {REFERENCE}",
    "enrol": f"session_id: {REFERENCE}, people: [ann@example.com]",
    "unenrol": f"session_id: {REFERENCE}, people: [ann@example.com]",
    "update_session": f"session_id: {REFERENCE}, set: {{name: x}}",
    "operation": f"operation: list-path-sessions, parameters: {PATH}",
    "wait_until": f"operation: list-path-sessions, until: {{path: $, exists: true}}, parameters: {PATH}",
    "mail": f"to: [ann@example.com], subject: x, text: {REFERENCE}",
    "message": f"notifier: airflow.providers.smtp.notifications.smtp.SmtpNotifier, arguments: {{to: {REFERENCE}}}",
    "webhook": f"http_conn_id: x, body: {{id: {REFERENCE}}}",
}


def build(folder: Path, steps: str) -> Any:
    from airflow_provider_learning360.dag_yaml.loader import build_airflow_dags

    (folder / "it.dag.yaml").write_text(f"dag_id: it\nsteps:\n{steps}")
    module = {"__file__": f"{folder}/loader.py", "__name__": "__main__"}
    build_airflow_dags(module)
    return module["it"]


@pytest.mark.parametrize("name", TEXTS)
def test_step_runs_after_the_steps_that_its_texts_name(tmp_path: Path, name: str) -> None:
    sessions = "  sessions: {blueprint: learning360_list_sessions}\n"
    dag = build(tmp_path, f"{sessions}  later: {{blueprint: learning360_{name}, {TEXTS[name]}}}\n")
    assert dag.get_task("later").upstream_task_ids == {"sessions"}


@pytest.mark.parametrize("name", TEXTS)
def test_step_that_is_missing_is_an_import_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(SerializationError, match="'sessions' is not an earlier step"):
        build(tmp_path, f"  later: {{blueprint: learning360_{name}, {TEXTS[name]}}}\n")


def test_templates_of_all_steps_are_checked() -> None:
    import pkgutil
    from importlib import import_module

    from airflow_provider_learning360 import blueprints

    modules = [import_module(f"{blueprints.__name__}.{one.name}") for one in pkgutil.iter_modules(blueprints.__path__)]
    kinds = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    ours = [one for one in kinds if issubclass(one, Blueprint) and one is not Blueprint]
    assert len(ours) >= len(TEXTS)
    assert [one for one in ours if not hasattr(one.render, "__wrapped__")] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ steps.a[0].b }} {{ ds }}", ["steps.a[0].b", "ds"]),
        ("{{ steps['a'].b[steps.c] }}", ["steps.a.b", "steps.c"]),
        ("{% for item in steps.a %}{{ item.b }}{% endfor %}", ["steps.a"]),
        ("{{ steps.a[-1] | upper }}", ["steps.a[-1]"]),
        ("Cours {# 3 {{ no.template", []),
        (["{{ x }}", {"y": "{{ y.z() }}"}, 3], ["x", "y.z"]),
    ],
)
def test_references_are_found(text: Any, expected: list[str]) -> None:
    assert sorted(map(str, find_references(text))) == sorted(expected)
    assert all(isinstance(one, Reference) for one in find_references(text))


@pytest.mark.parametrize(
    ("earlier", "text"),
    [
        (
            "learning360_list_sessions, fields: [tutors]",
            "{{ context.steps.one[0].tutors }}",
        ),
        (f"learning360_get_session, session_id: {ID}", "{{ context.steps.one.endDate }}"),
        (f"learning360_get_progress, session_id: {ID}", "{{ context.steps.one.sessionName }}"),
        ("learning360_operation, operation: list-path-sessions", "{{ context.steps.one[0].pathId }}"),
        (f"learning360_enrol, session_id: {ID}, people: [ann@example.com]", "{{ context.steps.one.added.count }}"),
    ],
)
def test_known_fields_are_accepted(tmp_path: Path, earlier: str, text: str) -> None:
    mail = f'{{blueprint: learning360_mail, to: [ann@example.com], subject: x, text: "{text}"}}'
    assert build(tmp_path, f"  one: {{blueprint: {earlier}}}\n  two: {mail}\n") is not None


@pytest.mark.parametrize(
    "earlier",
    [
        f"learning360_get_session, session_id: {ID}, exclude: [users]",
        f"learning360_get_progress, session_id: {ID}",
        "learning360_operation, operation: list-path-sessions",
        f"learning360_update_session, session_id: {ID}, set: {{name: x}}",
    ],
)
def test_unknown_field_is_an_import_error(tmp_path: Path, earlier: str) -> None:
    mail = '{blueprint: learning360_mail, to: [a@example.com], subject: x, text: "{{ context.steps.one.users }}"}'
    with pytest.raises(SerializationError, match="step one returns no 'users'"):
        build(tmp_path, f"  one: {{blueprint: {earlier}}}\n  two: {mail}\n")
