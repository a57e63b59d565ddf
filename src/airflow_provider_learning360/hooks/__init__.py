"""Connection, authentication and transport."""
