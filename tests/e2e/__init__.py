"""Tests on a real Airflow. This is a package, so that its Airflow stops after the last test of the folder."""
