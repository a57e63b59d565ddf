"""A DAG with a watched session, which the page lists."""

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from airflow_provider_learning360.assets.program_session import watched_program_session

with DAG("listens", schedule=[watched_program_session("60b8d2956e20ae1a0f8e44f1", watch=["startDate"])], catchup=False):
    EmptyOperator(task_id="act")
