"""How YAML files become DAGs. The templates of their steps are in `blueprints/`."""
