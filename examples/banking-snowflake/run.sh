#!/usr/bin/env bash
# PostgreSQL to Snowflake's RAW tables, and dbt's snapshots and marts of them, on this machine with fakesnow for Snowflake: see README.md.
set -euo pipefail
. "$(dirname "$0")/../common/lib.sh"
. "$(dirname "$0")/../common/banking.sh"
GENERATOR=(--customers 10 --accounts 2 --transactions 50)
begin
start_postgres
port=$(free_port)
mkdir -p "$work/snowflake"
"$root/scripts/servers/snowflake.sh" start "$work/snowflake" "$port" >/dev/null
pids+=("$(cat "$work/snowflake/server.pid")")
export SNOWFLAKE_URL=http://127.0.0.1:$port SNOWFLAKE_USER=LOADER SNOWFLAKE_PASSWORD=stand-in SNOWFLAKE_ROLE=LOADER SNOWFLAKE_WAREHOUSE=LOAD_WH SNOWFLAKE_DATABASE=BANKING FLUSH_SECONDS=1
openssl genrsa -out "$work/key.p8" 2048 2>/dev/null
openssl rsa -in "$work/key.p8" -pubout -out "$work/key.pub" 2>/dev/null
"$python" "$example/warehouse.py" prepare "$work/key.pub"

is_complete() { for table in customers accounts transactions; do "$python" "$example/warehouse.py" equals $table || return 1; done; }
# dbt logs in by a key pair, Sluice by a password.
transform() {
  SNOWFLAKE_ACCOUNT=account SNOWFLAKE_HOST=127.0.0.1 SNOWFLAKE_PORT=$port SNOWFLAKE_PROTOCOL=http SNOWFLAKE_USER=TRANSFORMER SNOWFLAKE_PASSWORD='' \
    SNOWFLAKE_ROLE=TRANSFORMER SNOWFLAKE_PRIVATE_KEY_PATH=$work/key.p8 "$root/examples/banking-dbt/run.sh" "$1" snowflake
}
first_half
transform build
second_half
transform build
transform check
sed -E 's/[0-9]+/#/g' "$work/equal.txt" | diff -u "$example/expected.txt" - || fail "the tables are not those of expected.txt"
say "the objects are those of expected.txt"
