"""360Learning's API without Airflow and without I/O: requests and bytes in, models or errors out."""
