"""360Learning provider for Apache Airflow."""

__version__ = "0.1.0"

DEFAULT_CONN_ID = "learning360_default"
