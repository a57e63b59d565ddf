"""Packages that DAGs in YAML need, and how to install them."""

from __future__ import annotations

from typing import Any

_INSTALL = 'pip install "airflow-provider-learning360[{}]"'
BLUEPRINT_MISSING = f"DAGs in YAML need airflow-blueprint, which is not installed. Run: {_INSTALL.format('blueprint')}"


def require_blueprint() -> None:
    """
    Raise an error if airflow-blueprint is not installed.

    :raises ImportError: It is not installed. The text says how to install it.
    """
    try:
        import blueprint  # noqa: F401 - only whether it is there
    except ImportError:
        raise ImportError(BLUEPRINT_MISSING) from None


def import_smtp_notifier() -> Any:
    """
    Return the notifier of Airflow's SMTP provider.

    :raises ImportError: The provider is not installed. The text says how to install it.
    """
    try:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier
    except ImportError:
        raise ImportError(
            f"mail_on_failure: apache-airflow-providers-smtp is not installed. Run: {_INSTALL.format('reminders')}"
        ) from None
    return SmtpNotifier
