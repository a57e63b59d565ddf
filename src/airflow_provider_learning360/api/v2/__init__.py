"""API v2 of 360Learning: paths and their sessions."""
