#!/usr/bin/env bash
# A Snowflake to test against: fakesnow (PyPI; login, PUT, COPY, VARIANT on DuckDB) with what it lacks in front of it, see snowflake_server.py.
#   snowflake.sh start DIR PORT    starts it on 127.0.0.1:PORT with its data below DIR
#   snowflake.sh stop DIR
#   snowflake.sh watch DIR PID     stops it once process PID is gone
set -euo pipefail
command=${1:?start, stop or watch}; dir=${2:?data directory}
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
venv=${SLUICE_FAKESNOW_VENV:-$here/../../.venv-fakesnow}

case $command in
start)
  port=${3:?port}
  [ -x "$venv/bin/python" ] || { echo "snowflake.sh: fakesnow is not in $venv; run 'make setup' with the tests' packages (scripts/setup.sh test)" >&2; exit 1; }
  # DuckDB looks for its httpfs extension, which reads external stages, below HOME.
  extension=$("$venv/bin/python" -c 'import duckdb_extension_httpfs as m, os; print(os.path.dirname(m.__file__))')
  mkdir -p "$dir/home/.duckdb/extensions/v1.5.5/linux_amd64"
  cp "$extension/extensions/v1.5.5/httpfs.duckdb_extension" "$dir/home/.duckdb/extensions/v1.5.5/linux_amd64/"
  HOME=$dir/home TMPDIR=$dir nohup "$venv/bin/python" -m uvicorn --app-dir "$here" snowflake_server:app --host 127.0.0.1 --port "$port" --log-level warning \
    >"$dir/log" 2>&1 </dev/null &
  echo $! >"$dir/server.pid"
  for _ in $(seq 300); do
    curl -fsS -o /dev/null "http://127.0.0.1:$port/test/health" 2>/dev/null && exit 0
    kill -0 "$(cat "$dir/server.pid")" 2>/dev/null || break
    sleep 0.2
  done
  echo "snowflake.sh: the server did not start" >&2
  tail -20 "$dir/log" >&2
  exit 1
  ;;
stop)
  # Its threads outlive a polite request; there is nothing to save.
  end KILL server
  ;;
watch) watch "${3:?process}" ;;
*) echo "snowflake.sh: start, stop or watch" >&2; exit 2 ;;
esac
