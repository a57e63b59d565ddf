"""Templates for airflow-blueprint: the steps of DAGs in YAML. Blueprint finds them by an entry point."""
