#!/usr/bin/env bash
# De PostgreSQL à MinIO, dbt et au tableau de bord, sur cette machine : voir README.md.
set -euo pipefail
. "$(dirname "$0")/../common/lib.sh"
. "$(dirname "$0")/../common/banking.sh"
BUCKET=raw GENERATOR=(--config "$example/config.yaml")
begin
start_postgres
start_s3
first_half
transform() { "$root/examples/banking-dbt/run.sh" build "$work/lake" "$work/warehouse.duckdb"; }
transform
second_half
transform
check_listing
"$root/examples/banking-dbt/run.sh" check "$work/warehouse.duckdb"
"$root/examples/banking-dbt/dashboard.sh" "$work/warehouse.duckdb" "$work/dashboard.html"
say "tableau de bord : $work/dashboard.html"
