"""What YAML files of DAGs may hold, and how they become DAGs; all but the templates, which are in `blueprints/`."""
