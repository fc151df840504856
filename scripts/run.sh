#!/usr/bin/env bash
# The main job on this machine: PostgreSQL, a generator, Sluice, a Parquet lake in .run/lake/. Ctrl-C stops everything.
# With PGHOST set (and PGPORT, PGUSER, PGPASSWORD, PGDATABASE) that database is used instead of a private one.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .run/data .run/lake
listen=${LISTEN:-127.0.0.1:8083}
export LAKE_URL="file://$PWD/.run"

stop() {
  trap '' INT TERM
  [ -z "${generator:-}" ] || kill "$generator" 2>/dev/null || true
  if [ -n "${sluice:-}" ]; then kill -TERM "$sluice" 2>/dev/null || true; wait "$sluice" 2>/dev/null || true; fi
  [ -z "${database:-}" ] || scripts/servers/postgres.sh stop "$database" || true
  echo "run: stopped; the lake stays in .run/lake, 'make clean' removes it"
}
trap stop EXIT
trap 'exit 0' INT TERM

if [ -z "${PGHOST:-}" ]; then
  # Below /tmp, where the server's own user can enter. Data and positions belong together: a new database means a new data directory.
  database=/tmp/sluice-run-$(id -u)
  export PGHOST=127.0.0.1 PGPORT=${PGPORT:-15432} PGUSER=postgres PGPASSWORD=postgres PGDATABASE=postgres
  [ -s "$database/PG_VERSION" ] || rm -rf .run/data .run/lake
  mkdir -p .run/data .run/lake
  scripts/servers/postgres.sh start "$database" "$PGPORT"
fi
: "${PGPORT:=5432}" "${PGUSER:=postgres}" "${PGPASSWORD:=}" "${PGDATABASE:=$PGUSER}"
export PGPORT PGUSER PGPASSWORD PGDATABASE
export PGOPTIONS='-c client_min_messages=warning'
psql -qX -f scripts/banking/schema.sql

while psql -qX -f scripts/banking/generate.sql >/dev/null; do sleep 1; done &
generator=$!

.build/release/sluice run worker.properties --data-dir .run/data --listen "$listen" --connectors-dir connectors.d &
sluice=$!

cat <<TEXT
run: PostgreSQL  psql -h $PGHOST -p $PGPORT -U $PGUSER $PGDATABASE
run: REST        http://$listen/connectors?expand=status
run: topics      .build/release/sluice tap banking_server.public.transactions --url http://$listen
run: lake        scripts/query.sh "select count(*), sum(amount) from transactions"
run: Ctrl-C stops everything
TEXT
wait "$sluice"
