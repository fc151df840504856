#!/usr/bin/env bash
# Google Cloud Storage stand-ins, for demos and tests.
#   gcs.sh start DIR PORT [BUCKET]   gcp-storage-emulator (PyPI) on 127.0.0.1:PORT with one bucket (default: lake), in memory.
#                                    It asks for no credentials and ignores preconditions: STORAGE_EMULATOR_HOST=http://127.0.0.1:PORT
#   gcs.sh stub DIR PORT [OPTIONS]   gcs_stub.py, our own: what the emulator lacks (tokens, preconditions, broken and lost sessions)
#   gcs.sh stop DIR
#   gcs.sh watch DIR PID             stops it once process PID is gone
set -euo pipefail
command=${1:?start, stub, stop or watch}; dir=${2:?data directory}
source "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
bin=${SLUICE_VENV:-$(cd "$here/../.." && pwd)/.venv}/bin

# up NAME URL: waits until it answers.
up() {
  for _ in $(seq 300); do
    curl -sS -o /dev/null "$2" 2>/dev/null && exit 0
    sleep 0.1
  done
  echo "gcs.sh: the $1 did not start" >&2
  tail -5 "$dir/server.log" >&2
  exit 1
}

case $command in
start)
  port=${3:?port}
  [ -x "$bin/gcp-storage-emulator" ] || { echo "gcs.sh: gcp-storage-emulator is not in $bin; run 'make setup'" >&2; exit 1; }
  mkdir -p "$dir"
  cd "$dir"
  nohup "$bin/gcp-storage-emulator" start --host 127.0.0.1 --port "$port" --quiet --in-memory --default-bucket "${4:-lake}" >"$dir/server.log" 2>&1 </dev/null &
  echo $! >"$dir/server.pid"
  up emulator "http://127.0.0.1:$port/storage/v1/b?project=demo"
  ;;
stub)
  port=${3:?port}; shift 3
  mkdir -p "$dir"
  nohup "$bin/python" "$here/gcs_stub.py" "$port" "$@" >"$dir/server.log" 2>&1 </dev/null &
  echo $! >"$dir/server.pid"
  up stub "http://127.0.0.1:$port/control/ready"
  ;;
stop)
  # A test process starts this with SIGTERM blocked, and the server inherits that; there is nothing to lose in memory.
  end KILL server
  ;;
watch) watch "${3:?process}" ;;
*) echo "gcs.sh: start, stub, stop or watch" >&2; exit 2 ;;
esac
