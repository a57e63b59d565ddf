"""Proxies, certificates and the environment: as in the HTTP provider, and alike in both hooks."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from requests.utils import should_bypass_proxies

from airflow_provider_learning360.api.errors import FixConnectionError, LearningError, SettingsError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_learning360.simulator import Simulator

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")

pytestmark = pytest.mark.learning360_simulator(sessions=1, learners=3)


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", *map(str.lower, BUNDLES)):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def proxy(other: Simulator) -> Simulator:
    """A proxy that responds for every host, with an empty list."""
    other.play({"do": {"status": 200, "body": []}})
    return other


def went_through(proxy: Simulator, simulator: Simulator) -> bool:
    paths = [one.path for one in proxy.requests]
    assert not (paths and simulator.requests)
    return paths == [f"{simulator.url}/api/v1/programs/sessions"]


@pytest.mark.parametrize("shape", ["url", "mapping", "no scheme"])
def test_proxy_of_the_connection_is_used(
    hook_to: Callable[..., Any], simulator: Simulator, proxy: Simulator, shape: str
) -> None:
    proxies: Any = {
        "url": proxy.url,
        "mapping": {"http": proxy.url, "https": "http://127.0.0.1:9"},
        "no scheme": proxy.url.removeprefix("http://"),
    }[shape]
    assert hook_to(simulator, proxies=proxies)("list_program_sessions") == []
    assert went_through(proxy, simulator)


def test_proxy_for_the_other_scheme_is_not_used(hook_to: Callable[..., Any], simulator: Simulator) -> None:
    assert len(hook_to(simulator, proxies={"https": "http://127.0.0.1:9"})("list_program_sessions")) == 1


def test_proxy_gets_its_password(hook_to: Callable[..., Any], simulator: Simulator, proxy: Simulator) -> None:
    hook_to(simulator, proxies=proxy.url.replace("//", "//me:secret@"))("list_program_sessions")
    assert proxy.requests[-1].headers["proxy-authorization"].startswith("Basic ")


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "ALL_PROXY"])
def test_proxy_of_the_environment_is_used(
    hook_to: Callable[..., Any], simulator: Simulator, proxy: Simulator, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, proxy.url)
    hook_to(simulator)("list_program_sessions")
    assert went_through(proxy, simulator)


@pytest.mark.parametrize("trusted", [True, False])
def test_no_proxy_is_obeyed(
    hook_to: Callable[..., Any], simulator: Simulator, proxy: Simulator, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    if trusted:
        monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    hook_to(simulator, trust_env=trusted)("list_program_sessions")
    assert not proxy.requests


def test_proxy_of_the_connection_wins_over_the_environment(
    hook_to: Callable[..., Any], simulator: Simulator, proxy: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    hook_to(simulator, proxies=proxy.url)("list_program_sessions")
    assert went_through(proxy, simulator)


def test_unreachable_proxy_is_named(
    hook_to: Callable[..., Any], simulator: Simulator, waits: list[float], closed_port: int
) -> None:
    with pytest.raises(UnreachableError, match="proxy of connection 'here'"):
        hook_to(simulator, proxies=f"http://127.0.0.1:{closed_port}", retry_attempts=1)("list_program_sessions")
    assert not simulator.requests


@pytest.mark.parametrize("auth", ["headers", "query", "oauth2"])
def test_netrc_is_never_used(
    hook_to: Callable[..., Any], simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, auth: str
) -> None:
    file = tmp_path / ".netrc"
    file.write_text("machine 127.0.0.1 login somebody password something\ndefault login a password b\n")
    file.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(file))
    caller = hook_to(simulator, auth=auth)
    caller("list_program_sessions")
    if caller.kind == "sync":
        assert caller.hook.get_conn().get(f"{simulator.url}/api/v1/programs").ok
    assert not any("Basic" in one.headers.get("authorization", "") for one in simulator.requests)


@pytest.mark.parametrize("host", ["https://nowhere.invalid", "https://" + "a" * 64 + ".example", "https://a..example"])
def test_unknown_host_name_is_unreachable(hook_to: Callable[..., Any], waits: list[float], host: str) -> None:
    with pytest.raises(LearningError, match="host"):
        hook_to(host, retry_attempts=1)("list_program_sessions")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this machine, and its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(tz=UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    shape, bare = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, shape, bare))
    return file


class Tls(BaseHTTPRequestHandler):
    """Sends an empty list, and the client's name if it sent a certificate."""

    callers: list[Any]

    def do_GET(self) -> None:
        self.callers.append(self.connection.getpeercert())
        body = json.dumps([]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class QuietServer(HTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Log no failed handshakes: the tests cause them."""


@pytest.fixture
def tls(certificate: Path) -> Iterator[QuietServer]:
    Tls.callers = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.load_verify_locations(certificate)
    context.verify_mode = ssl.CERT_OPTIONAL
    server = QuietServer(("127.0.0.1", 0), Tls)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def url_of(server: HTTPServer) -> str:
    return f"https://127.0.0.1:{server.server_port}"


def test_untrusted_certificate_is_an_error(hook_to: Callable[..., Any], tls: QuietServer, waits: list[float]) -> None:
    with pytest.raises(FixConnectionError, match=r"not trusted.*`verify` of connection 'here'"):
        hook_to(url_of(tls))("list_program_sessions")
    assert not waits
    assert not Tls.callers


def test_ca_bundle_of_the_connection_is_used(hook_to: Callable[..., Any], tls: QuietServer, certificate: Path) -> None:
    assert hook_to(url_of(tls), verify=str(certificate))("list_program_sessions") == []


@pytest.mark.parametrize("word", [False, "false"])
def test_verify_false_accepts_any_certificate(
    hook_to: Callable[..., Any],
    tls: QuietServer,
    monkeypatch: pytest.MonkeyPatch,
    certificate: Path,
    word: Any,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    with pytest.MonkeyPatch.context() as quiet:
        import urllib3

        quiet.setattr(urllib3.connectionpool.warnings, "warn", lambda *_, **__: None)
        assert hook_to(url_of(tls), verify=word)("list_program_sessions") == []


def test_client_certificate_is_sent(hook_to: Callable[..., Any], tls: QuietServer, certificate: Path) -> None:
    hook_to(url_of(tls), verify=str(certificate), cert=str(certificate))("list_program_sessions")
    (shown,) = Tls.callers
    assert shown["subject"]


@pytest.mark.parametrize("name", ["verify", "cert"])
@pytest.mark.parametrize("there", [False, True], ids=["missing", "not a PEM file"])
def test_unusable_file_is_a_settings_error(
    hook_to: Callable[..., Any],
    tls: QuietServer,
    tmp_path: Path,
    waits: list[float],
    name: str,
    there: bool,
) -> None:
    file = tmp_path / "file.pem"
    if there:
        file.write_text("no certificate")
    with pytest.raises(SettingsError, match=name):
        hook_to(url_of(tls), **{name: str(file)})("list_program_sessions")
    assert not waits


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        ("127.0.0.1", True),
        ("127.0.0.0/8", True),
        ("10.0.0.0/8, 127.0.0.0/24", True),
        ("10.0.0.0/8", False),
        ("127.0.0.0/40", False),
        ("127.0.0.1:{port}", None),
        ("127.0.0.1:9", None),
        ("localhost", False),
        ("*", True),
        (".0.0.1", None),
        ("", False),
    ],
)
@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_no_proxy_names_addresses_and_networks(
    hook_to: Callable[..., Any],
    simulator: Simulator,
    proxy: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    no_proxy: str,
    direct: bool | None,
) -> None:
    port = simulator.url.rpartition(":")[2]
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv(variable, no_proxy.format(port=port))
    hook_to(simulator)("list_program_sessions")
    # None: what `requests` does.
    expected = should_bypass_proxies(simulator.url, None) if direct is None else direct
    assert went_through(proxy, simulator) is not expected


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        ("localhost:{port}", True),
        ("localhost:9", False),
        ("localhost", True),
        ("ocalhost", False),
        (".localhost", True),
    ],
)
def test_no_proxy_names_hosts_and_ports(
    hook_to: Callable[..., Any],
    simulator: Simulator,
    proxy: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    no_proxy: str,
    direct: bool,
) -> None:
    port = simulator.url.rpartition(":")[2]
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", no_proxy.format(port=port))
    # The keys of another company are refused by the simulator as well as by the proxy.
    with contextlib.suppress(LearningError):
        hook_to(f"http://localhost:{port}", retry_attempts=1)("list_program_sessions")
    assert bool(simulator.requests) is direct
    assert bool(proxy.requests) is not direct


@pytest.mark.parametrize(
    "proxy_url", ["socks5://127.0.0.1:9", "http://127.0.0.1:port", "http://me:p%E2%82%ACss@127.0.0.1:9"]
)
def test_unusable_proxy_of_the_environment_is_an_error(
    hook_to: Callable[..., Any], simulator: Simulator, monkeypatch: pytest.MonkeyPatch, proxy_url: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy_url)
    with pytest.raises(SettingsError, match="environment names a proxy") as caught:
        hook_to(simulator)("list_program_sessions")
    assert proxy_url not in f"{caught.value!r} {caught.value.__context__!r}"
    assert not simulator.requests


@pytest.mark.parametrize("variable", BUNDLES)
def test_ca_bundle_of_the_environment_is_used(
    hook_to: Callable[..., Any],
    tls: QuietServer,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
) -> None:
    monkeypatch.setenv(variable, str(certificate))
    assert hook_to(url_of(tls))("list_program_sessions") == []


def test_first_ca_bundle_of_the_environment_counts(
    hook_to: Callable[..., Any],
    tls: QuietServer,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    waits: list[float],
) -> None:
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    for first, second in (BUNDLES[:2], BUNDLES[1:]):
        monkeypatch.setenv(first, str(certificate))
        monkeypatch.setenv(second, DEFAULT_CA_BUNDLE_PATH)
        assert hook_to(url_of(tls))("list_program_sessions") == []
        monkeypatch.setenv(first, DEFAULT_CA_BUNDLE_PATH)
        monkeypatch.setenv(second, str(certificate))
        with pytest.raises(FixConnectionError, match="not trusted"):
            hook_to(url_of(tls))("list_program_sessions")
        monkeypatch.delenv(first)


@pytest.mark.parametrize("variable", BUNDLES)
def test_ca_bundle_of_the_environment_does_not_override_settings(
    hook_to: Callable[..., Any],
    tls: QuietServer,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    waits: list[float],
    variable: str,
) -> None:
    monkeypatch.setenv(variable, str(certificate))
    with pytest.raises(FixConnectionError, match="not trusted"):
        hook_to(url_of(tls), trust_env=False)("list_program_sessions")
    monkeypatch.setenv(variable, "/nowhere.pem")
    assert hook_to(url_of(tls), verify=str(certificate))("list_program_sessions") == []


@pytest.mark.parametrize("variable", BUNDLES)
def test_missing_ca_bundle_of_the_environment_is_an_error(
    hook_to: Callable[..., Any],
    tls: QuietServer,
    monkeypatch: pytest.MonkeyPatch,
    waits: list[float],
    variable: str,
) -> None:
    monkeypatch.setenv(variable, "/nowhere.pem")
    with pytest.raises(SettingsError, match=f"{variable} is '/nowhere.pem', but the file does not exist"):
        hook_to(url_of(tls))("list_program_sessions")
    assert not waits


def test_fifo_as_ca_bundle_is_not_read(hook_to: Callable[..., Any], tls: QuietServer, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo.pem"
    os.mkfifo(fifo)
    for name in ("verify", "cert"):
        with pytest.raises(SettingsError, match=f"{name} is .*not a usable PEM file"):
            hook_to(url_of(tls), **{name: str(fifo)})("list_program_sessions")


def test_replaced_ca_bundle_is_read_again(
    hook_to: Callable[..., Any], tls: QuietServer, certificate: Path, tmp_path: Path
) -> None:
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    bundle = tmp_path / "bundle.pem"
    shutil.copyfile(DEFAULT_CA_BUNDLE_PATH, bundle)
    with pytest.raises(FixConnectionError, match="not trusted"):
        hook_to(url_of(tls), verify=str(bundle))("list_program_sessions")
    shutil.copyfile(certificate, bundle)
    os.utime(bundle, ns=(0, 0))
    assert hook_to(url_of(tls), verify=str(bundle))("list_program_sessions") == []


@pytest.mark.parametrize("auth", ["headers", "query", "oauth2"])
def test_cookies_are_not_stored_or_sent(hook_to: Callable[..., Any], raw_server: Any, auth: str) -> None:
    body = json.dumps({"access_token": "a-token", "expires_in": 3600})
    cookies = "".join(f"Set-Cookie: c{number}=crumb; Path=/; Max-Age=3600\r\n" for number in range(50))

    def respond(request: bytes) -> bytes:
        content = body if b"oauth2/token" in request else "[]"
        head = f"HTTP/1.1 200 OK\r\n{cookies}Content-Length: {len(content)}\r\nConnection: close"
        return f"{head}\r\n\r\n{content}".encode()

    raw_server.answer = respond
    caller = hook_to(raw_server, auth=auth)
    for _ in range(3):
        caller("list_program_sessions")
    assert not [one for one in raw_server.requests if b"cookie" in one.lower() or b"crumb" in one]
    if caller.kind == "sync":
        session = caller.hook.get_conn()
        assert session.get(raw_server.url + "/api/v1/x").ok
        assert not list(session.cookies)
        assert not list(caller.hook._session.cookies)
    else:
        assert not list(caller.hook._client.cookie_jar)
