#!/usr/bin/env bash
# dbt on this machine, over the lake.
#   run.sh build LAKE WAREHOUSE [LAYOUT]   makes snapshots and marts and runs the tests; LAYOUT is rows (the default) or events
#   run.sh check WAREHOUSE                 compares the marts with PostgreSQL, and their history with the journal of common/banking.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
venv=$root/.venv-dbt
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
  echo "banking-dbt: Python environment for dbt (.venv-dbt)"
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/requirements.txt"
fi

if [ "$1" = check ]; then
  exec "$venv/bin/python" "$here/check.py" "$2"
fi
[ "$1" = build ] || { echo "banking-dbt: build or check, not '$1'" >&2; exit 2; }
lake=$(cd "$2" && pwd)
export WAREHOUSE=$3
target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
# Snapshots and marts in the order of their dependencies, each followed by its tests.
"$venv/bin/dbt" --quiet --no-use-colors build --project-dir "$here" --profiles-dir "$here/profiles" --target duckdb --target-path "$target" --log-path "$target" \
  --vars "{lake: '$lake', layout: ${4:-rows}}"
echo "banking-dbt: snapshots, marts and tests passed"
