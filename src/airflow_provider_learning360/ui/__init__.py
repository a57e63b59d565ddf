"""The page "360Learning" in Airflow: find a program session, test a request, copy a workflow."""
