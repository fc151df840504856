#!/usr/bin/env bash
# PostgreSQL to Parquet in S3 on this machine: see README.md.
set -euo pipefail
. "$(dirname "$0")/../common/lib.sh"
. "$(dirname "$0")/../common/banking.sh"
export S3_BUCKET_NAME=banking
BUCKET=$S3_BUCKET_NAME ROWS=50 GENERATOR=(--customers 10 --accounts 2 --transactions 50)
begin
start_postgres
start_s3
first_half
second_half
check_listing
