#!/usr/bin/env bash
# PostgreSQL to Snowflake's RAW tables on this machine, with fakesnow for Snowflake: see README.md.
set -euo pipefail
. "$(dirname "$0")/../common/lib.sh"
begin
start_postgres
port=$(free_port)
mkdir -p "$work/snowflake"
"$root/scripts/servers/snowflake.sh" start "$work/snowflake" "$port" >/dev/null
pids+=("$(cat "$work/snowflake/server.pid")")
export SNOWFLAKE_URL=http://127.0.0.1:$port SNOWFLAKE_USER=LOADER SNOWFLAKE_PASSWORD=stand-in SNOWFLAKE_ROLE=LOADER SNOWFLAKE_WAREHOUSE=LOAD_WH SNOWFLAKE_DATABASE=BANKING FLUSH_SECONDS=1
"$python" "$example/warehouse.py" prepare

psql -qX -f "$root/scripts/banking/schema.sql" 2>/dev/null
generate() { "$root/scripts/banking/generate.sh" --once --customers 10 --transactions 50 "$@" >/dev/null; }
complete() { for table in customers accounts transactions; do "$python" "$example/warehouse.py" equals $table || return 1; done; }
generate --seed 1
start_sluice
wait_for "the snapshot is in the warehouse" complete
say "the snapshot is in the warehouse"
generate --seed 2 &
generator=$!
sleep 0.5
kill_sluice
say "the worker was killed while it loaded"
start_sluice
wait "$generator"
psql -qX -c "update customers set last_name = 'Married' where id % 4 = 0" -c "delete from transactions where id % 17 = 0"
wait_for "every change is in the warehouse" complete
stop_sluice
complete | sed "s/^/$name: /" | tee "$work/listing.txt"
diff -u "$example/expected.txt" <(sed -E 's/[0-9]+/#/g' "$work/listing.txt") || fail "the tables are not those of expected.txt"
say "the objects are those of expected.txt"
