"""DAG Airflow (2 et 3) : toutes les dix minutes, dbt met à jour les instantanés (SCD2) et les tables de présentation.

L'ingestion n'est plus l'affaire d'Airflow : Sluice écrit les fichiers en continu (l'ancien `minio_to_snowflake` disparaît).
DBT_PROJECT_DIR, DBT_TARGET et LAKE (le lac, pour DuckDB) viennent de l'environnement du travailleur ; `run.sh` exécute ce DAG ici."""
from datetime import datetime, timedelta

from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2
    from airflow.operators.bash import BashOperator

with DAG(
    dag_id="banking",
    start_date=datetime(2026, 1, 1),
    schedule="*/10 * * * *",
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=1)},
) as dag:
    project = "${DBT_PROJECT_DIR:-/opt/banking-dbt}"
    options = f'--project-dir "{project}" --profiles-dir "{project}/profiles" --target "${{DBT_TARGET:-snowflake}}" --vars "lake: ${{LAKE:-lake}}"'
    staging = BashOperator(task_id="staging", bash_command=f"dbt run --select staging {options}")
    snapshots = BashOperator(task_id="snapshots", bash_command=f"dbt snapshot {options}")
    marts = BashOperator(task_id="marts", bash_command=f"dbt run --select marts {options}")
    tests = BashOperator(task_id="tests", bash_command=f"dbt test {options}")
    staging >> snapshots >> marts >> tests
