"""What must outlive a process: in Airflow's state stores, or in Airflow variables below Airflow 3.3."""
