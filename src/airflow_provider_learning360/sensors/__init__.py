"""Sensors: wait for program sessions."""
