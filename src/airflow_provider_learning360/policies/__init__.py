"""How Airflow should act on the errors of 360Learning."""
