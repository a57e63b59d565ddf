"""The HTTP server: requests, connections, threads, start and stop."""

from __future__ import annotations

import http.client
import socket
import struct
import threading

import pytest
import requests

from airflow_provider_learning360.simulator import Simulator
from airflow_provider_learning360.simulator import server as server_module


def test_requests_are_kept_with_their_secrets(simulator, client, path):
    client.patch(path, params={"a b": "ü"}, json={"name": "x"})
    client.get("/api/v1/nothing%23at%40all")
    first, second = simulator.requests
    assert (first.method, first.path, first.query, first.body) == (
        "PATCH",
        path,
        {"a b": "ü"},
        b'{"name": "x"}',
    )
    assert first.headers["x-apikey"] == "demo-key"
    assert (first.status, first.connection, second.status, second.connection) == (200, 1, 404, 1)
    assert second.path == "/api/v1/nothing%23at%40all"
    assert first.at <= second.at
    with pytest.raises(AttributeError):
        first.status = 500


def test_request_is_listed_before_its_response_arrives(simulator, client, path):
    for number in range(1, 20):
        client.get(path)
        assert len(simulator.requests) == number


def test_connections_are_counted_and_kept_alive(connect, simulator, path):
    for _ in range(3):
        with connect(simulator) as client:
            client.get(path)
            client.get(path)
    assert [seen.connection for seen in simulator.requests] == [1, 1, 2, 2, 3, 3]
    assert simulator.connections == 3
    simulator.forget()
    assert (simulator.connections, simulator.requests) == (0, [])
    with connect(simulator) as client:
        client.get(path)
    assert (simulator.connections, simulator.requests[0].connection) == (1, 4)


def test_wait_for(simulator, client, path):
    asking = threading.Thread(target=lambda: [client.get(path) for _ in range(3)])
    asking.start()
    simulator.wait_for(lambda simulator: len(simulator.requests) == 3)
    asking.join()
    with pytest.raises(TimeoutError, match="3 requests, the last: GET"):
        simulator.wait_for(lambda simulator: False, timeout=0.01)


def test_many_clients_at_once(connect, simulator, path, session_id):
    def work() -> None:
        with connect(simulator) as client:
            for _ in range(5):
                assert client.get(path).json()["_id"] == session_id
                simulator.edit(session_id, name="x")

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(simulator.requests) == 80
    assert simulator.connections == 16


def test_connections_are_bounded(connect, simulator, path, monkeypatch):
    monkeypatch.setattr(server_module, "MAX_CONNECTIONS", 1)
    with connect(simulator) as first, connect(simulator) as second:
        assert first.get(path).status_code == 200
        with pytest.raises(requests.ConnectionError):
            second.get(path)
        assert first.get(path).status_code == 200


def test_simulator_starts_again_after_a_stop(connect, path):
    simulator = Simulator().start()
    before = set(threading.enumerate())
    with connect(simulator) as client:
        url = simulator.url
        client.get(path)
        simulator.edit(simulator.session_ids[0], name="kept")
        simulator.stop()
        simulator.stop()
        # The thread of a connection ends a moment after the connection.
        for thread in set(threading.enumerate()) - before:
            thread.join(10)
        assert set(threading.enumerate()) <= before
        assert simulator.connections == 0
        with pytest.raises(requests.ConnectionError):
            client.get(path)
        with simulator.start():
            assert simulator.start().url == url
            assert client.get(path).json()["name"] == "kept"
            assert len(simulator.requests) == 2


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "app.example.com", ""])
def test_only_loopback_is_served(host):
    with pytest.raises(ValueError, match="loopback only"):
        Simulator(host=host)


def test_ipv6_loopback(connect, path):
    try:
        with Simulator(host="::1") as simulator, connect(simulator) as client:
            assert simulator.url.startswith("http://[::1]:")
            assert client.get(path).status_code == 200
    except OSError:
        pytest.skip("this machine has no IPv6")


def test_client_that_disconnects_early_does_no_harm(simulator, client, path, capfd):
    with socket.create_connection(("127.0.0.1", int(simulator.url.rpartition(":")[2]))) as leaving:
        leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # leaves with a reset
        leaving.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\nGET".encode())
        assert leaving.recv(12) == b"HTTP/1.1 401"
    assert client.get(path).status_code == 200
    simulator.stop()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("header", "status"),
    [("Transfer-Encoding: chunked", 411), ("Content-Length: x", 413), ("Content-Length: 99999999", 413)],
)
def test_unreadable_bodies_are_rejected(simulator, path, header, status):
    with socket.create_connection(("127.0.0.1", int(simulator.url.rpartition(":")[2]))) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status == status


def test_error_of_the_simulator_is_printed_without_the_request(simulator, client, path, capfd):
    simulator.edit(simulator.session_ids[0], modules="nonsense")
    simulator.play({"do": {"drift": {"module_type": "quiz"}}})
    with pytest.raises(requests.ConnectionError):
        client.get(path)
    shown = capfd.readouterr().err
    assert "Traceback" in shown
    assert "demo-key" not in shown
