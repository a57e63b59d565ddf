"""The schedule of a sensor as a function."""

from airflow_provider_learning360.reminders.schedule import SessionSchedule


def due_of(anchor, before, after, time_zone):  # type: ignore[no-untyped-def]
    """Return a function that says when it is time for a session."""
    return SessionSchedule.read(anchor, before, after, time_zone).find_due
