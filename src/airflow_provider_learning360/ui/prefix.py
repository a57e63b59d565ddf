"""Where the page is, below Airflow's own address. A module of its own: the plugin and the application both need it."""

from __future__ import annotations

PREFIX = "/learning360"
