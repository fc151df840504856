#!/usr/bin/env bash
# The main job on this machine: PostgreSQL, a generator, Sluice, a Parquet lake in .run/lake/. Ctrl-C stops everything.
# With PGHOST set (and PGPORT, PGUSER, PGPASSWORD, PGDATABASE) that database is used instead of a private one.
# With RUN_DIR, a directory of its own, data, lake and the private database lie there; the database's user must be able to enter it, as below /tmp.
set -euo pipefail
run=${RUN_DIR:+$(realpath -m "$RUN_DIR")}
database=${run:+$run/postgres}
cd "$(dirname "$0")/.."
: "${run:=$PWD/.run}"
# What it empties must be its own.
if [ ! -e "$run/.sluice" ] && [ -n "${RUN_DIR:-}" ] && [ -n "$(ls -A "$run" 2>/dev/null)" ]; then
  echo "run: RUN_DIR=$run holds other things; name a directory that is empty or not there" >&2
  exit 2
fi
mkdir -p "$run/data" "$run/lake"
touch "$run/.sluice"
listen=${LISTEN:-127.0.0.1:8083}
binary=${SLUICE_BINARY:-.build/release/sluice}
export LAKE_URL="file://$run"

stop() {
  trap '' INT TERM
  if [ -n "${generator:-}" ]; then kill "$generator" 2>/dev/null || true; wait "$generator" 2>/dev/null || true; fi
  if [ -n "${sluice:-}" ]; then kill -TERM "$sluice" 2>/dev/null || true; wait "$sluice" 2>/dev/null || true; fi
  [ -z "${started:-}" ] || scripts/servers/postgres.sh stop "$database" || true
  echo "run: stopped; the lake stays in ${run#"$PWD/"}/lake, 'make clean' removes .run"
}
trap stop EXIT
trap 'exit 0' INT TERM

if [ -z "${PGHOST:-}" ]; then
  # Below /tmp, where the server's own user can enter. Data and positions belong together: a new database means a new data directory.
  : "${database:=/tmp/sluice-run-$(id -u)}"
  export PGHOST=127.0.0.1 PGPORT=${PGPORT:-15432} PGUSER=postgres PGPASSWORD=postgres PGDATABASE=postgres
  [ -s "$database/PG_VERSION" ] || rm -rf "$run/data" "$run/lake"
  mkdir -p "$run/data" "$run/lake"
  started=yes
  scripts/servers/postgres.sh start "$database" "$PGPORT"
fi
: "${PGPORT:=5432}" "${PGUSER:=postgres}" "${PGPASSWORD:=}" "${PGDATABASE:=$PGUSER}"
export PGPORT PGUSER PGPASSWORD PGDATABASE
export PGOPTIONS='-c client_min_messages=warning'
psql -qX -f scripts/banking/schema.sql

generate() {
  # What it waits for when it is told to end.
  trap 'kill "$!" 2>/dev/null; exit' TERM
  while psql -qX -f scripts/banking/generate.sql >/dev/null & wait "$!"; do
    sleep 1 & wait "$!"
  done
}
generate &
generator=$!

"$binary" run worker.properties --data-dir "$run/data" --listen "$listen" --connectors-dir connectors.d &
sluice=$!

cat <<TEXT
run: PostgreSQL  psql -h $PGHOST -p $PGPORT -U $PGUSER $PGDATABASE
run: REST        http://$listen/connectors?expand=status
run: topics      $binary tap banking_server.public.transactions --url http://$listen
run: lake        scripts/query.sh "select count(*), sum(amount) from transactions"
run: Ctrl-C stops everything
TEXT
wait "$sluice"
