"""All settings of a 360Learning connection. The form, the parser and the documentation are generated from them."""

from __future__ import annotations

__all__ = ["EU_HOST", "US_HOST", "LearningSettings"]

import json
import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict
from urllib.parse import unquote, urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from airflow_provider_learning360.api.credentials import CLIENT_KEYS, COMPANY_KEYS, Credentials, KeyNames
from airflow_provider_learning360.api.errors import SettingsError
from airflow_provider_learning360.api.messages import DEFAULT_LIMITS, Kind, Limits
from airflow_provider_learning360.api.retries import RetryBudget

if TYPE_CHECKING:
    from collections.abc import Mapping

EU_HOST = "https://app.360learning.com"
US_HOST = "https://app.us.360learning.com"
MAX_SECONDS = 86_400.0  # of any time limit of a connection: one day
MAX_BYTES = 1024**4  # of any size limit of a connection
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

# A host name or an IP address; labels of 1 to 63 characters.
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_NAME = re.compile(rf"[0-9a-f:.]*:[0-9a-f:.]*|(?:{_LABEL}\.)*{_LABEL}\.?", re.IGNORECASE)

# From a setting to its field in the connection form; all other settings are in the extra.
FORM_FIELDS = {"host": "host", "company_id": "login", "api_key": "password"}
VERIFY = (
    "`true`, `false`, or the path of a CA bundle. With `true`, the bundle is that of `REQUESTS_CA_BUNDLE`, else of "
    "`CURL_CA_BUNDLE`, else of `SSL_CERT_FILE`. If none is set, or `trust_env` is false, it is that of certifi."
)
_PASTED = (
    "No key of 360Learning has that character. It was probably pasted from a document; copy it again from "
    "360Learning (Settings > API)"
)
# API v1: 12 bytes. API v2: 16 bytes, in the vendor's example.
_COMPANY_ID = re.compile(r"[0-9a-fA-F]{24}")
_CLIENT_ID = re.compile(r"[0-9a-fA-F]{32}")
# Headers of every call but the token's.
VERSION_HEADERS: dict[str, dict[str, str]] = {"v1": {}, "v2": {"360-api-version": "v2.0"}}
KEY_NAMES = {"v1": COMPANY_KEYS, "v2": CLIENT_KEYS}
# Other names of two settings, from the HTTP provider.
SYNONYMS = {"verify_ssl": "verify", "proxy": "proxies"}


class FormField(TypedDict):
    """One field of the connection form, as Airflow's `conn-fields` describe it."""

    label: str
    description: str
    schema: dict[str, Any]  # JSON Schema of the value


# Airflow's `ui-field-behaviour`.
FormBehaviour = TypedDict(
    "FormBehaviour",
    {"hidden-fields": list[str], "relabeling": dict[str, str], "placeholders": dict[str, str]},
)


class LearningSettings(BaseModel):
    """
    The settings of one 360Learning connection.

    Source: the vendor's pages on API keys and authentication; transport settings as in Airflow's HTTP provider.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, allow_inf_nan=False)

    host: str = Field(EU_HOST, title="Host", description=f"EU `{EU_HOST}`, US `{US_HOST}`, or any other address.")
    company_id: str = Field(
        min_length=1,
        title="Company ID / client ID",
        description="API v1: the company ID. API v2: the client ID. Shown under Settings > API.",
    )
    api_key: SecretStr = Field(
        min_length=1,
        title="API key / client secret",
        description="API v1: the API key. API v2: the client secret. Shown once under Settings > API.",
    )
    api_version: Literal["v1", "v2"] = Field(
        "v1",
        title="API version",
        description="`v1`: program sessions, with company ID and API key. `v2`: sessions of paths, with client ID and "
        "client secret.",
    )
    auth: Literal["headers", "query", "oauth2"] = Field(
        "headers",
        validate_default=True,
        title="Authentication",
        description="How the API key is sent: in `headers`, in the `query`, or exchanged for an `oauth2` token. "
        "API v2 has `oauth2` only.",
    )
    timeout: float = Field(
        30.0,
        gt=0,
        le=MAX_SECONDS,
        title="Timeout",
        description="Seconds to wait for a connection, and for each part of a response.",
    )
    retry_attempts: int = Field(
        5,
        ge=1,
        le=1000,
        title="Attempts",
        description="Maximum number of requests for one call, including the first. With `oauth2`, one more if a token "
        "that worked before is refused (401): the request is sent again with a new token.",
    )
    retry_budget: float = Field(
        120.0,
        ge=0,
        le=MAX_SECONDS,
        title="Retry budget",
        description="Seconds after which a call is not retried any more.",
    )
    max_rate_limit_wait: float = Field(
        60.0,
        ge=0,
        le=MAX_SECONDS,
        title="Longest rate-limit wait",
        description="Longest `Retry-After`, in seconds, that a call waits for; a longer one is an error.",
    )
    max_document_bytes: int = Field(
        DEFAULT_LIMITS["document"].max_bytes,
        ge=1024,
        le=MAX_BYTES,
        title="Largest document",
        description="Maximum size of one document in bytes, after decompression.",
    )
    max_list_bytes: int = Field(
        DEFAULT_LIMITS["list"].max_bytes,
        ge=1024,
        le=MAX_BYTES,
        title="Largest list",
        description="Maximum size of a list (sessions, learners, statistics) in bytes, after decompression.",
    )
    max_error_bytes: int = Field(
        DEFAULT_LIMITS["token"].max_bytes,
        ge=1024,
        le=MAX_BYTES,
        title="Largest error response",
        description="Maximum size in bytes of an error response, and of the response of a token call.",
    )
    max_document_seconds: float = Field(
        DEFAULT_LIMITS["document"].max_seconds,
        gt=0,
        le=MAX_SECONDS,
        title="Time limit of a document",
        description="Maximum duration, in seconds, of one attempt to read a document, from the request to the last "
        "byte.",
    )
    max_list_seconds: float = Field(
        DEFAULT_LIMITS["list"].max_seconds,
        gt=0,
        le=MAX_SECONDS,
        title="Time limit of a list",
        description="Maximum duration, in seconds, of one attempt to read a list (sessions, learners, statistics).",
    )
    requests_per_second: float = Field(
        10.0,
        ge=0.1,
        title="Requests per second",
        description="Maximum requests per second that one triggerer sends for all waiting tasks and watched assets. "
        "Connections with the same company ID or client ID share it: set the same value in each.",
    )
    missing_poll_interval: float = Field(
        3600.0,
        ge=1,
        le=30 * MAX_SECONDS,
        title="Missing-session interval",
        description="Seconds between two reads of the complete list of sessions, which shows which were deleted. No "
        "effect with API v1, which reads the complete list at each poll.",
    )
    verify: bool | str = Field(True, title="Verify TLS", description=VERIFY)
    cert: str | None = Field(
        None, title="Client certificate", description="Path of a PEM file with certificate and key."
    )
    proxies: str | dict[str, str] | None = Field(
        None, repr=False, title="Proxy", description="URL of a proxy, or in the extra a mapping from scheme to URL."
    )
    trust_env: bool = Field(
        True,
        title="Trust environment",
        description="Take proxies (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`) and the CA bundle from the environment.",
    )
    allow_insecure_http: bool = Field(
        False, title="Allow plain HTTP", description="Allow `http://` to a host that is not this machine."
    )
    connection: str = Field("the connection", exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _choose_auth(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("api_version") == "v2":
            return {"auth": "oauth2", **values}
        return values

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_switches(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation in (int, float):
            raise ValueError("it must be a number, not true or false")
        return value

    @field_validator("company_id", "api_key")
    @classmethod
    def _check_characters(cls, key: str | SecretStr) -> str | SecretStr:
        text = key.get_secret_value() if isinstance(key, SecretStr) else key
        wrong = next((one for one in text if one > "\xff" or not one.isprintable()), None)
        if wrong is not None:
            raise ValueError(f"it contains {character_name(wrong)}. {_PASTED}")
        return key

    @field_validator("auth")
    @classmethod
    def _check_version(cls, auth: str, info: ValidationInfo) -> str:
        if info.data.get("api_version") == "v2" and auth != "oauth2":
            raise ValueError(f"API v2 accepts `oauth2` only, not `{auth}`. Remove `auth` from the extra")
        return auth

    @field_validator("auth")
    @classmethod
    def _check_headers(cls, auth: str, info: ValidationInfo) -> str:
        key = info.data.get("api_key")
        for text in (info.data.get("company_id") or "", key.get_secret_value() if key else ""):
            if auth == "headers" and not text.isascii():
                # Servers and HTTP libraries disagree on the encoding of other characters: Latin-1 or UTF-8.
                wrong = next(one for one in text if not one.isascii())
                raise ValueError(
                    "headers carry ASCII characters only, but company ID or API key contains "
                    f"{character_name(wrong)}. Copy both again from 360Learning (Settings > API), or use `query` "
                    "or `oauth2`"
                )
        return auth

    @field_validator("proxies")
    @classmethod
    def _check_proxies(cls, proxies: str | dict[str, str] | None) -> str | dict[str, str] | None:
        for url in proxies.values() if isinstance(proxies, dict) else filter(None, [proxies]):
            problem = proxy_problem(url)
            if problem:
                raise ValueError(problem)
        return proxies

    @classmethod
    def from_connection(
        cls,
        conn_id: str,
        *,
        host: str | None = None,
        login: str | None = None,
        password: str | None = None,
        schema: str | None = None,
        port: int | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> LearningSettings:
        """
        Read the settings of an Airflow connection.

        :param conn_id: ID of the connection, for errors.
        :param host: Host, with or without scheme; default the EU address.
        :param login: Company ID; default none, which is an error.
        :param password: API key; default none, which is an error.
        :param schema: `https` or `http`, if the host has no scheme; default `https`.
        :param port: Port, if the host has none; default that of the scheme.
        :param extra: All other settings by name; default none.
        :returns: The settings.
        :raises SettingsError: A setting is missing, unknown or not valid; names the setting, never its value.
        """
        connection = f"connection {conn_id!r}"
        values = {SYNONYMS.get(name, name): value for name, value in (extra or {}).items() if value not in (None, "")}
        _refuse_unknown(values, connection)
        values["company_id"] = (login or "").strip()
        values["api_key"] = (password or "").strip()
        if "verify" in values:
            values["verify"] = _switch_or_path(values["verify"])
        try:
            settings = cls(**values, host=base_url(host, schema, port, connection), connection=connection)
        except ValidationError as error:
            problem = _readable(error, KEY_NAMES["v2" if values.get("api_version") == "v2" else "v1"])
        else:
            return settings._refuse_cleartext()
        raise SettingsError(f"{connection} is not usable: {problem}")

    @property
    def budget(self) -> RetryBudget:
        """The retry budget of one call."""
        return RetryBudget(self.retry_attempts, self.retry_budget, self.max_rate_limit_wait)

    @property
    def limits(self) -> dict[Kind, Limits]:
        """How much of a response is read, and for how long, for each kind of call."""
        return {kind: self._limits(default) for kind, default in DEFAULT_LIMITS.items()}

    def _limits(self, default: Limits) -> Limits:
        return replace(
            default,
            max_bytes=getattr(self, default.bytes_setting),
            max_error_bytes=self.max_error_bytes,
            max_seconds=getattr(self, default.seconds_setting),
            connection=self.connection,
        )

    def credentials(self) -> Credentials:
        """
        Build the credentials.

        :returns: New credentials, without a token.
        """
        return Credentials(
            self.auth,
            self.company_id,
            self.api_key.get_secret_value(),
            version_headers=VERSION_HEADERS[self.api_version],
            key_names=self.key_names,
        )

    @property
    def key_names(self) -> KeyNames:
        """What 360Learning calls login and password, for errors."""
        return KEY_NAMES[self.api_version]

    @property
    def key_hint(self) -> str:
        """What is probably wrong with the keys, by the shape of the ID; empty if nothing is."""
        # Keys of both versions get a token from the same route. Only their other calls are refused.
        if self.api_version == "v2" and _COMPANY_ID.fullmatch(self.company_id):
            return (
                "The login looks like a company ID of API v1, but `api_version` is v2: "
                "enter client ID and client secret of API v2."
            )
        if self.api_version == "v1" and _CLIENT_ID.fullmatch(self.company_id):
            return (
                "The login looks like a client ID of API v2, but `api_version` is v1: "
                "set `api_version` to v2 in the extra, or enter company ID and API key."
            )
        return ""

    def proxy_for(self, scheme: str) -> str | None:
        """
        Return the proxy that the connection sets.

        :param scheme: `http` or `https`.
        :returns: Its URL, or None.
        """
        if isinstance(self.proxies, str):
            return self.proxies
        return (self.proxies or {}).get(scheme)

    def _refuse_cleartext(self) -> LearningSettings:
        parts = urlsplit(self.host)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK and not self.allow_insecure_http:
            raise SettingsError(
                f"{self.connection} would send its API key in clear text to {parts.hostname}. "
                "Use https://, or set allow_insecure_http in its extra if you accept that."
            )
        return self


def proxy_problem(url: str) -> str | None:
    """
    Say why a URL cannot be used as a proxy.

    :param url: The URL; without a scheme, it is `http`.
    :returns: The problem without the URL, for an error; None if the URL can be used.
    """
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is not a number
        usable = False
    if not usable:
        return "a proxy is an address such as http://proxy.example.com:3128"
    # HTTP libraries encode both as Latin-1, and their error would show the password.
    if max(unquote(parts.netloc.rpartition("@")[0]), default="") > "\xff":
        return "name and password of a proxy may contain Latin-1 characters only"
    return None


def extra_settings() -> list[str]:
    """
    Return the settings of the connection's extra.

    :returns: Their names.
    """
    return [name for name in LearningSettings.model_fields if name not in FORM_FIELDS and name != "connection"]


def connection_fields() -> dict[str, FormField]:
    """
    Build the `conn-fields` of the provider info: one form field for each setting of the extra.

    :returns: The fields by name.
    """
    schemas = LearningSettings.model_json_schema()["properties"]
    return {name: _form_field(schemas[name]) for name in extra_settings()}


def form_behaviour() -> FormBehaviour:
    """
    Build the `ui-field-behaviour` of the provider info: labels and placeholders of the form's own fields.

    :returns: Hidden fields, labels and placeholders.
    """
    fields = LearningSettings.model_fields
    return {
        "hidden-fields": ["schema", "port"],
        "relabeling": {form: fields[name].title or name for name, form in FORM_FIELDS.items() if name != "host"},
        "placeholders": {"host": EU_HOST, "login": "60b8d2956e20ae1a0f8e44f1", "extra": "{}"},
    }


def _form_field(schema: Mapping[str, Any]) -> FormField:
    """Build a form field: optional, of one simple type, with the default in its description."""
    kind = schema.get("type", "string")
    shape: dict[str, Any] = {"type": [kind, "null"]}
    for bound in ("minimum", "exclusiveMinimum", "maximum"):
        if bound in schema:
            shape[bound] = schema[bound]
    if "enum" in schema:
        shape["enum"] = schema["enum"]
    default = schema.get("default")
    hint = "" if default is None else f" Default: {json.dumps(default).strip(chr(34))}."
    # Airflow shows the description as it is; the backticks are for the documentation.
    description = schema["description"].replace("`", "") + hint
    return {"label": schema["title"], "description": description, "schema": shape}


def _refuse_unknown(values: Mapping[str, Any], connection: str) -> None:
    unknown = sorted(set(values) - set(extra_settings()))
    if unknown:
        raise SettingsError(
            f"{connection} has unknown settings in its extra: {', '.join(unknown)}. "
            f"Known settings: {', '.join(extra_settings())}."
        )


def base_url(host: str | None, schema: str | None, port: int | None, connection: str) -> str:
    """
    Build the base URL of a host: scheme, name and port.

    :param host: Host, with or without scheme; empty for the EU address.
    :param schema: Scheme, if the host has none; None for `https`.
    :param port: Port, if the host has none; None for that of the scheme.
    :param connection: Name of the connection, for the error.
    :returns: The URL, without a path.
    :raises SettingsError: It is not a host.
    """
    host = (host or "").strip().rstrip("/") or EU_HOST
    if "://" not in host:
        host = f"{schema or 'https'}://{host}"
    try:
        parts = urlsplit(host)
        own_port = parts.port or port
    except ValueError:
        own_port, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not _NAME.fullmatch(parts.hostname):
        raise SettingsError(f"{connection} has no valid host. Use an address such as {EU_HOST}.")
    if parts.path or parts.query or parts.fragment or parts.username:
        raise SettingsError(
            f"{connection} has a host with a path, a query or a user name. Use scheme and name only, such as "
            f"{parts.scheme}://{parts.hostname}; the provider adds paths such as /api/v1."
        )
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{name}" + (f":{own_port}" if own_port else "")


def character_name(character: str) -> str:
    """
    Describe a character that is not allowed, without the text around it, which may be a secret.

    :param character: The character.
    :returns: Its name and code.
    """
    return f"{unicodedata.name(character, 'a control character, such as a line break')} (U+{ord(character):04X})"


def _switch_or_path(value: Any) -> Any:
    """Return True or False for their words in a form or URI, else the value: a path."""
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    return words.get(str(value).strip().lower(), value)


def _readable(error: ValidationError, names: KeyNames) -> str:
    """Say which settings are not valid and why, without their values."""
    # Not `describe_problem` of input_errors.py, which shows values to the author of a file: a setting may be a secret.
    problems: list[str] = []
    for detail in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(detail["loc"][0])
        if name in FORM_FIELDS and detail["type"] in ("string_too_short", "too_short"):
            label = names.id if name == "company_id" else names.secret
            # The first one ends a sentence that has begun.
            article = "The" if problems else "the"
            problems.append(f"{article} {label} is missing (form field {FORM_FIELDS[name]!r}).")
        else:
            problems.append(f"{name}: {detail['msg'].removeprefix('Value error, ')}.")
    return " ".join(dict.fromkeys(problems))
