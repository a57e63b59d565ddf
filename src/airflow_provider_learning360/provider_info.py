"""The description of this provider for Airflow and its tools: one literal, so that they need not run it."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """
    Return the description of this provider.

    :returns: A dictionary as in Airflow's `provider_info.schema.json`.
    """
    return {
        "package-name": "airflow-provider-learning360",
        "name": "360Learning",
        "description": "Read 360Learning program sessions, act when they change, and remind people of them.",
        "integrations": [
            {
                "integration-name": "360Learning",
                "external-doc-url": "https://360learning.com/",
                "tags": ["service"],
            }
        ],
        "hooks": [
            {
                "integration-name": "360Learning",
                "python-modules": [
                    "airflow_provider_learning360.hooks.learning",
                    "airflow_provider_learning360.hooks.learning_async",
                ],
            }
        ],
        "operators": [
            {
                "integration-name": "360Learning",
                "python-modules": [
                    "airflow_provider_learning360.operators.operation",
                    "airflow_provider_learning360.operators.program_session",
                    "airflow_provider_learning360.operators.progress",
                    "airflow_provider_learning360.operators.changes",
                    "airflow_provider_learning360.operators.enrolment",
                    "airflow_provider_learning360.operators.session_update",
                    "airflow_provider_learning360.operators.reminders",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": "360Learning",
                "python-modules": [
                    "airflow_provider_learning360.sensors.program_session",
                    "airflow_provider_learning360.sensors.session_date",
                    "airflow_provider_learning360.sensors.session_completed",
                    "airflow_provider_learning360.sensors.operation",
                ],
            }
        ],
        "triggers": [
            {
                "integration-name": "360Learning",
                "python-modules": [
                    "airflow_provider_learning360.triggers.program_session",
                    "airflow_provider_learning360.triggers.session_date",
                    "airflow_provider_learning360.triggers.session_completed",
                    "airflow_provider_learning360.triggers.operation",
                    "airflow_provider_learning360.triggers.watching",
                    "airflow_provider_learning360.triggers.completions",
                ],
            }
        ],
        "connection-types": [
            {
                "connection-type": "learning360",
                "hook-class-name": "airflow_provider_learning360.hooks.learning.LearningHook",
                "hook-name": "360Learning",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port"],
                    "relabeling": {"login": "Company ID / client ID", "password": "API key / client secret"},
                    "placeholders": {
                        "host": "https://app.360learning.com",
                        "login": "60b8d2956e20ae1a0f8e44f1",
                        "extra": "{}",
                    },
                },
                "conn-fields": {
                    "api_version": {
                        "label": "API version",
                        "description": "v1: program sessions, with company ID and API key. v2: sessions of paths, with client ID and client secret. Default: v1.",
                        "schema": {"type": ["string", "null"], "enum": ["v1", "v2"]},
                    },
                    "auth": {
                        "label": "Authentication",
                        "description": "How the API key is sent: in headers, in the query, or exchanged for an oauth2 token. API v2 has oauth2 only. Default: headers.",
                        "schema": {"type": ["string", "null"], "enum": ["headers", "query", "oauth2"]},
                    },
                    "timeout": {
                        "label": "Timeout",
                        "description": "Seconds to wait for a connection, and for each part of a response. Default: 30.0.",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 86400.0},
                    },
                    "retry_attempts": {
                        "label": "Attempts",
                        "description": "Maximum number of requests for one call, including the first. With oauth2, one more if a token that worked before is refused (401): the request is sent again with a new token. Default: 5.",
                        "schema": {"type": ["integer", "null"], "minimum": 1, "maximum": 1000},
                    },
                    "retry_budget": {
                        "label": "Retry budget",
                        "description": "Seconds after which a call is not retried any more. Default: 120.0.",
                        "schema": {"type": ["number", "null"], "minimum": 0, "maximum": 86400.0},
                    },
                    "max_rate_limit_wait": {
                        "label": "Longest rate-limit wait",
                        "description": "Longest Retry-After, in seconds, that a call waits for; a longer one is an error. Default: 60.0.",
                        "schema": {"type": ["number", "null"], "minimum": 0, "maximum": 86400.0},
                    },
                    "max_document_bytes": {
                        "label": "Largest document",
                        "description": "Maximum size of one document in bytes, after decompression. Default: 67108864.",
                        "schema": {"type": ["integer", "null"], "minimum": 1024, "maximum": 1099511627776},
                    },
                    "max_list_bytes": {
                        "label": "Largest list",
                        "description": "Maximum size of a list (sessions, learners, statistics) in bytes, after decompression. Default: 1073741824.",
                        "schema": {"type": ["integer", "null"], "minimum": 1024, "maximum": 1099511627776},
                    },
                    "max_error_bytes": {
                        "label": "Largest error response",
                        "description": "Maximum size in bytes of an error response, and of the response of a token call. Default: 1048576.",
                        "schema": {"type": ["integer", "null"], "minimum": 1024, "maximum": 1099511627776},
                    },
                    "max_document_seconds": {
                        "label": "Time limit of a document",
                        "description": "Maximum duration, in seconds, of one attempt to read a document, from the request to the last byte. Default: 120.0.",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 86400.0},
                    },
                    "max_list_seconds": {
                        "label": "Time limit of a list",
                        "description": "Maximum duration, in seconds, of one attempt to read a list (sessions, learners, statistics). Default: 600.0.",
                        "schema": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 86400.0},
                    },
                    "requests_per_second": {
                        "label": "Requests per second",
                        "description": "Maximum requests per second that one triggerer sends for all waiting tasks and watched assets. Connections with the same company ID or client ID share it: set the same value in each. Default: 10.0.",
                        "schema": {"type": ["number", "null"], "minimum": 0.1},
                    },
                    "missing_poll_interval": {
                        "label": "Missing-session interval",
                        "description": "Seconds between two reads of the complete list of sessions, which shows which were deleted. No effect with API v1, which reads the complete list at each poll. Default: 3600.0.",
                        "schema": {"type": ["number", "null"], "minimum": 1, "maximum": 2592000.0},
                    },
                    "verify": {
                        "label": "Verify TLS",
                        "description": "true, false, or the path of a CA bundle. With true, the bundle is that of REQUESTS_CA_BUNDLE, else of CURL_CA_BUNDLE, else of SSL_CERT_FILE. If none is set, or trust_env is false, it is that of certifi. Default: true.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "cert": {
                        "label": "Client certificate",
                        "description": "Path of a PEM file with certificate and key.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "proxies": {
                        "label": "Proxy",
                        "description": "URL of a proxy, or in the extra a mapping from scheme to URL.",
                        "schema": {"type": ["string", "null"]},
                    },
                    "trust_env": {
                        "label": "Trust environment",
                        "description": "Take proxies (HTTPS_PROXY, ALL_PROXY, NO_PROXY) and the CA bundle from the environment. Default: true.",
                        "schema": {"type": ["boolean", "null"]},
                    },
                    "allow_insecure_http": {
                        "label": "Allow plain HTTP",
                        "description": "Allow http:// to a host that is not this machine. Default: false.",
                        "schema": {"type": ["boolean", "null"]},
                    },
                },
            }
        ],
        "asset-uris": [
            {
                "schemes": ["learning360"],
                "handler": "airflow_provider_learning360.assets.uri.sanitize_uri",
                "to_openlineage_converter": "airflow_provider_learning360.assets.uri.convert_asset_to_openlineage",
            }
        ],
        "config": {
            "learning360": {
                "description": "Settings of the 360Learning provider.",
                "options": {
                    "min_poll_interval": {
                        "description": "Shortest poll_interval, in seconds, of a watched program session.",
                        "version_added": "0.1.0",
                        "type": "float",
                        "example": None,
                        "default": "10",
                    },
                    "max_triggerer_wait": {
                        "description": "Longest Retry-After, in seconds, that a triggerer waits for.",
                        "version_added": "0.1.0",
                        "type": "float",
                        "example": None,
                        "default": "3600",
                    },
                    "max_task_wait": {
                        "description": "Longest Retry-After, in seconds, that a task waits for before its retry.",
                        "version_added": "0.1.0",
                        "type": "float",
                        "example": None,
                        "default": "86400",
                    },
                    "page": {
                        "description": "Whether Airflow 3 shows the page 360Learning.",
                        "version_added": "0.1.0",
                        "type": "boolean",
                        "example": None,
                        "default": "True",
                    },
                },
            }
        },
        "cli": ["airflow_provider_learning360.cli.definition.get_learning360_cli_commands"],
    }
