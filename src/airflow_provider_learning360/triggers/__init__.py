"""Triggers: wait for program sessions in the triggerer."""
