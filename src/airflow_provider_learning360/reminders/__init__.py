"""Reminders that follow a session: what the author decides, what is due, and who gets it."""
