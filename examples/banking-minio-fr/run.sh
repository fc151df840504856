#!/usr/bin/env bash
# De PostgreSQL à MinIO, dbt et au tableau de bord, sur cette machine : voir README.md.
set -euo pipefail
. "$(dirname "$0")/../common/lib.sh"
. "$(dirname "$0")/../common/banking.sh"
BUCKET=raw ROWS=50 GENERATOR=(--config "$example/config.yaml")
begin
start_postgres
start_s3
first_half
"$root/examples/banking-dbt/run.sh" build "$work/lake" "$work/warehouse.duckdb"
second_half
"$example/dags/run.sh" "$work/lake" "$work/warehouse.duckdb" "$work/airflow"
check_listing
"$root/examples/banking-dbt/run.sh" check "$work/warehouse.duckdb"
"$root/examples/banking-dbt/dashboard.sh" write "$work/warehouse.duckdb" "$work/dashboard.html"
"$root/examples/banking-dbt/dashboard.sh" check "$work/warehouse.duckdb" "$work/dashboard.html"
say "tableau de bord : $work/dashboard.html"
