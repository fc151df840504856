#!/usr/bin/env bash
# Cards replayed, exchange rates polled, users changed and captured, all into a bucket, on this machine: see README.md.
set -euo pipefail
. "$(dirname "$0")/../common/lib.sh"
begin
start_postgres
port=$(free_port)
gcs=$work/gcs
# Into a file: a server must not keep this script's pipe.
"$root/scripts/servers/gcs.sh" start "$gcs" "$port" finance >/dev/null
fx_port=$(free_port)
"$python" "$example/fx_stand_in.py" "$fx_port" >/dev/null 2>&1 &
pids+=($! "$(cat "$gcs/server.pid")")
export STORAGE_EMULATOR_HOST=http://127.0.0.1:$port GCS_BUCKET_NAME=finance GCS_FLUSH_MS=1000 DATA=$work/data PRODUCE_SPEED=600 \
  FX_URL=http://127.0.0.1:$fx_port/v1/latest FX_CRON='*/2 * * * * *' FREECURRENCYAPI_API_KEY=stand-in \
  JOBS=$root/scripts/finance UPDATE_PERCENTAGE=0.05 UPDATE_CRON='*/2 * * * * *'

"$python" "$example/make_data.py" "$DATA" 2000
psql -qX -f "$example/schema.sql" -c "create publication airbyte_publication for all tables" -c "select pg_create_logical_replication_slot('airbyte_slot', 'pgoutput')" >/dev/null
psql -qX -c "\\copy users from '$DATA/users.csv' with (format csv, header, delimiter ';')" -c "\\copy merchants from '$DATA/merchants.csv' with (format csv, header, delimiter ';')"

start_sluice
sleep 3
kill_sluice
say "the worker was killed while it replayed"
start_sluice

complete() {
  "$python" "$root/examples/common/lake.py" download "$GCS_BUCKET_NAME" "$work/lake" || return 1
  "$python" "$example/check.py" "$work/lake" "$DATA"
}
finished() { curl -sf "http://$rest/connectors/replay/offsets" | grep -q '"finished":true'; }
wait_for "the file is replayed" finished
# The users must hold still to be compared.
curl -sf -X PUT "http://$rest/connectors/update-users/stop" >/dev/null
wait_for "everything is in the bucket" complete
stop_sluice
complete | sed "s/^/$name: /"
others="select (select count(*) from pg_replication_slots where slot_name = 'airbyte_slot'), (select count(*) from pg_publication where pubname = 'airbyte_publication' and puballtables)"
[ "$(psql -qAtXc "$others")" = "1|1" ] || fail "the other tool's slot or publication is gone"

"$python" "$root/examples/common/lake.py" listing "$work/lake" >"$work/listing.txt"
diff -u "$example/expected.txt" "$work/listing.txt" || fail "the objects are not those of expected.txt"
say "the objects are those of expected.txt"
