#!/usr/bin/env bash
# Change events as JSON files in a bucket, and the history made of them, on this machine: see README.md.
set -euo pipefail
. "$(dirname "$0")/../common/lib.sh"
. "$(dirname "$0")/../common/banking.sh"
export S3_BUCKET_NAME=events FILE_MAX_AGE_MS=1000
BUCKET=$S3_BUCKET_NAME LAYOUT=events GENERATOR=(--customers 10 --accounts 2 --transactions 50)
begin
start_postgres
start_s3
first_half
second_half
check_listing
"$root/examples/banking-dbt/run.sh" build "$work/lake" "$work/warehouse.duckdb" "$LAYOUT"
"$root/examples/banking-dbt/run.sh" check "$work/warehouse.duckdb"
