"""Templates for airflow-blueprint: what YAML files build DAGs from. Found through the entry point of this package."""
