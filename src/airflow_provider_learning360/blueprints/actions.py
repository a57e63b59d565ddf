"""Blueprint templates that act: a mail, a message, a webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from blueprint import Blueprint
from pydantic import Field

from airflow_provider_learning360.dag_yaml.checked_step import check_output_field, checked_step
from airflow_provider_learning360.dag_yaml.forms import Form
from airflow_provider_learning360.dag_yaml.mail import MailOperator, find_addresses
from airflow_provider_learning360.dag_yaml.message import MessageOperator, build_notifier, find_notifier
from airflow_provider_learning360.dag_yaml.step_references import (
    FOR_EACH,
    TIME_ZONE,
    AnyValues,
    AnyValuesOrNone,
    Texts,
    Values,
    build_task,
    check_time_zone,
    require_step,
)
from airflow_provider_learning360.dag_yaml.webhook import WebhookOperator
from airflow_provider_learning360.rendering import is_template

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator


class ActionForm(Form):
    """Fields of all steps that act."""

    for_each: str | None = FOR_EACH
    time_zone: str = TIME_ZONE
    retries: int = Field(0, ge=0, le=100, description="How often Airflow tries again after a failure.", examples=[2])

    def check(self) -> None:
        """Refuse an unknown time zone."""
        check_time_zone(self.time_zone)


class MailForm(ActionForm, title="learning360_mail"):
    """Who gets the mail, and what it says."""

    to: Texts = Field(
        min_length=1,
        description="Mail addresses: a list, or what an earlier step returned.",
        examples=[["hr@example.com"]],
    )
    subject: str = Field(min_length=1, description="Subject of the mail.", examples=["New dates"])
    text: str = Field(min_length=1, description="Text of the mail.", examples=["The dates have changed."])
    table: str | None = Field(
        None,
        min_length=1,
        description="An earlier step that returns a list; its items become a table below the text.",
        examples=["late"],
    )
    columns: dict[str, str] | None = Field(
        None,
        min_length=1,
        description="The fields that the table shows, each with its title; default all.",
        examples=[{"lastName": "Name"}],
    )
    empty: Literal["send", "skip"] = Field(
        "send", description="What to do if the table has no rows.", examples=["skip"]
    )
    sender: str | None = Field(
        None,
        min_length=1,
        description="Who the mail is from; default the from_email of the connection.",
        examples=["Academy <academy@example.com>"],
    )
    smtp_conn_id: str = Field(
        "smtp_default",
        min_length=1,
        description="ID of the Airflow connection to the mail server.",
        examples=["smtp_default"],
    )

    def check(self) -> None:
        """Refuse texts that are no mail addresses."""
        super().check()
        wrong = [place for place, one in enumerate(self.to, 1) if not is_template(one) and find_addresses(one)[1]]
        if wrong:
            raise ValueError(f"to: not a mail address, at position {', '.join(map(str, wrong))}")


class Mail(Blueprint[MailForm]):
    """Send a mail to each of some addresses, with a table of what an earlier step returned."""

    name = "learning360_mail"
    version = 1

    @checked_step
    def render(self, config: MailForm) -> BaseOperator:
        """Return the task, or one for each item."""
        task = build_task(self.step_id, MailOperator, config, lists=("table",))
        if config.table is not None:
            rows = require_step(self.step_id, "table", config.table)
            for name in config.columns or ():
                check_output_field(self.step_id, f"columns.{name}", name, rows)
        return task


class MessageForm(ActionForm, title="learning360_message"):
    """The notifier, and what it sends."""

    notifier: str = Field(
        min_length=1,
        description="Path of the class of the notifier.",
        examples=["airflow.providers.smtp.notifications.smtp.SmtpNotifier"],
    )
    arguments: AnyValues = Field(
        Values(),
        description="Arguments of the notifier, such as channel and text.",
        examples=[{"to": "hr@example.com"}],
    )

    def check(self) -> None:
        """Refuse a notifier that is not installed, and arguments that it does not take."""
        super().check()
        find_notifier(self.notifier)
        if not is_template(self.arguments.given):
            build_notifier(self.notifier, self.arguments.given)


class Message(Blueprint[MessageForm]):
    """Send a message through a notifier of Airflow, such as that for Slack or Teams."""

    name = "learning360_message"
    version = 1

    @checked_step
    def render(self, config: MessageForm) -> BaseOperator:
        """Return the task, or one for each item."""
        return build_task(self.step_id, MessageOperator, config)


class WebhookForm(ActionForm, title="learning360_webhook"):
    """The webhook, and what it gets."""

    http_conn_id: str = Field(
        min_length=1,
        description="ID of the Airflow connection of type HTTP, with host and password of the webhook.",
        examples=["room_booking"],
    )
    endpoint: str | None = Field(None, description="Path below the host.", examples=["/hooks/sessions"])
    method: Literal["POST", "PUT", "PATCH"] = Field("POST", description="HTTP method.", examples=["PUT"])
    body: AnyValuesOrNone = Field(
        None, description="What to send as JSON; default an empty object.", examples=[{"event": "moved"}]
    )
    headers: dict[str, str] | None = Field(None, description="Further headers.", examples=[{"X-Source": "airflow"}])


class Webhook(Blueprint[WebhookForm]):
    """Send JSON to a webhook, through Airflow's HTTP provider."""

    name = "learning360_webhook"
    version = 1

    @checked_step
    def render(self, config: WebhookForm) -> BaseOperator:
        """Return the task, or one for each item."""
        return build_task(self.step_id, WebhookOperator, config)
