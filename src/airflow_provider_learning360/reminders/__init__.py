"""Reminders that follow a session: the policy of the author, the planner, and the delivery by mail."""

# The command that installs what reminders need beside the provider.
INSTALL_COMMAND = 'pip install "airflow-provider-learning360[reminders]"'
# Connections to the mail server at once, unless an author chooses another number.
DEFAULT_CONNECTIONS = 8
