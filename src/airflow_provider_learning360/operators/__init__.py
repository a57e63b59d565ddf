"""Operators: read program sessions."""
