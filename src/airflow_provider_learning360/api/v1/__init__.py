"""API v1 of 360Learning: program sessions."""
