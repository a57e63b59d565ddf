"""The page "360Learning" inside Airflow: find a program session, try a request, take it into a workflow."""
