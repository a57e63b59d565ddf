"""`airflow learning360 ...`: try a request before anything is scheduled."""
