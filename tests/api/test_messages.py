from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_learning360.api.messages import join_headers


def test_headers_are_joined_in_order_under_lower_case_names() -> None:
    given_twice = [("Retry-After", "1"), ("Content-Type", "text/html"), ("retry-after", "2"), ("RETRY-AFTER", "3")]
    assert join_headers(given_twice) == {"retry-after": "1, 2, 3", "content-type": "text/html"}


@given(st.lists(st.tuples(st.text(), st.text())))
def test_header_loses_no_value(headers: list[tuple[str, str]]) -> None:
    joined = join_headers(headers)
    assert set(joined) == {name.lower() for name, _ in headers}
    assert all(value in joined[name.lower()] for name, value in headers)
