#!/usr/bin/env bash
# Asks the demo's lake, in .run or RUN_DIR, with DuckDB: customers, accounts and transactions are views over the Parquet files.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x .venv/bin/python ] || scripts/setup.sh query
exec .venv/bin/python - "${1:?SQL}" "${RUN_DIR:-.run}/lake" <<'PY'
import glob, os, sys
import duckdb

lake = duckdb.connect()
directory = sys.argv[2]
for topic in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
    files = f"{directory}/{topic}/**/*.parquet"
    if glob.glob(files, recursive=True):
        lake.execute(f"""create view "{topic.rsplit('.', 1)[-1]}" as select * from read_parquet('{files}', union_by_name = true)""")
print(lake.sql(sys.argv[1]))
PY
