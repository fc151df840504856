#!/usr/bin/env bash
# dbt on this machine, over a lake with DuckDB, or in Snowflake, which the environment tells (profiles/profiles.yml).
#   run.sh build LAKE WAREHOUSE [LAYOUT]   makes snapshots and marts and runs the tests; LAYOUT is rows (the default) or events
#   run.sh build snowflake [LAYOUT]
#   run.sh check WAREHOUSE|snowflake       compares the marts with PostgreSQL, and their history with the journal of common/banking.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=$root/.venv-dbt
"$root/scripts/venv.sh" .venv-dbt "$here/requirements.txt"

if [ "$1" = check ]; then
  exec "$venv/bin/python" "$here/check.py" "$2"
fi
[ "$1" = build ] || { echo "banking-dbt: build or check, not '$1'" >&2; exit 2; }
if [ "$2" = snowflake ]; then
  warehouse=snowflake lake= layout=${3:-rows}
else
  warehouse=duckdb lake=$(cd "$2" && pwd) layout=${4:-rows}
  export WAREHOUSE=$3
fi
target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
# Snapshots and marts in the order of their dependencies, each followed by its tests.
"$venv/bin/dbt" --quiet --no-use-colors build --project-dir "$here" --profiles-dir "$here/profiles" --target $warehouse --target-path "$target" --log-path "$target" \
  --vars "{lake: '$lake', layout: $layout}"
echo "banking-dbt: snapshots, marts and tests passed"
