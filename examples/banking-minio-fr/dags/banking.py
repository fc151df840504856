"""DAG Airflow : toutes les dix minutes, dbt met à jour les instantanés (SCD2) et les tables de présentation.

L'ingestion n'est plus l'affaire d'Airflow : Sluice écrit les fichiers en continu (l'ancien `minio_to_snowflake` disparaît)."""
from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG(
    dag_id="banking",
    start_date=datetime(2026, 1, 1),
    schedule="*/10 * * * *",
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
) as dag:
    dbt = "dbt {verb} --project-dir /opt/banking-dbt --profiles-dir /opt/banking-dbt/profiles --target ${{DBT_TARGET:-snowflake}}"
    staging = BashOperator(task_id="staging", bash_command=dbt.format(verb="run --select staging"))
    snapshots = BashOperator(task_id="snapshots", bash_command=dbt.format(verb="snapshot"))
    marts = BashOperator(task_id="marts", bash_command=dbt.format(verb="run --select marts"))
    tests = BashOperator(task_id="tests", bash_command=dbt.format(verb="test"))
    staging >> snapshots >> marts >> tests
