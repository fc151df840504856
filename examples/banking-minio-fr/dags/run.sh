#!/usr/bin/env bash
# Le DAG, exécuté une fois par un vrai Airflow sur cette machine, dbt sur DuckDB : run.sh LAKE WAREHOUSE HOME (le répertoire d'Airflow)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
venv=$root/.venv-airflow
"$root/scripts/venv.sh" .venv-airflow "$here/requirements.txt" --no-deps

mkdir -p "$3"
export LAKE=$1 WAREHOUSE=$2 DBT_PROJECT_DIR=$root/examples/banking-dbt DBT_TARGET=duckdb DBT_TARGET_PATH=$3/target DBT_LOG_PATH=$3/logs
export AIRFLOW_HOME=$3 AIRFLOW__CORE__DAGS_FOLDER=$here AIRFLOW__CORE__LOAD_EXAMPLES=False AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False
export PATH=$venv/bin:$root/.venv-dbt/bin:$PATH
{ airflow db migrate && airflow dags test banking; } >"$3/run.log" 2>&1 || { tail -30 "$3/run.log" >&2; exit 1; }
echo "banking-minio-fr: the DAG ran: $(grep -oE 'end task task_id=\w+' "$3/run.log" | sed 's/.*=//' | paste -sd' ')"
