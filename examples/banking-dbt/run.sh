#!/usr/bin/env bash
# dbt on this machine, over the lake: run.sh LAKE WAREHOUSE makes snapshots and marts and runs the tests; run.sh check WAREHOUSE compares the marts with PostgreSQL.
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
lake=$(cd "$1" && pwd)
export WAREHOUSE=$2
target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
# Snapshots and marts in the order of their dependencies, each followed by its tests.
"$venv/bin/dbt" --quiet --no-use-colors build --project-dir "$here" --profiles-dir "$here/profiles" --target duckdb --target-path "$target" --log-path "$target" \
  --vars "{lake: '$lake'}"
echo "banking-dbt: snapshots, marts and tests passed"
