# What the examples' scripts share; sourced. Everything runs below $work, which is emptied first, and stops when the script ends.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
example=$(cd "$(dirname "$0")" && pwd)
name=$(basename "$example")
work=${WORK:-/tmp/sluice-example-$name-$(id -u)}
sluice=${SLUICE_BINARY:-$root/.build/release/sluice}
python=$root/.venv/bin/python
pids=()

say() { echo "$name: $*"; }
fail() { say "$*" >&2; exit 1; }
free_port() { "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

clean_up() {
  local status=$?
  trap '' INT TERM
  [ -z "${worker:-}" ] || kill -9 "$worker" 2>/dev/null || true
  for pid in "${pids[@]}"; do kill -9 "$pid" 2>/dev/null || true; done
  [ -z "${postgres:-}" ] || "$root/scripts/servers/postgres.sh" stop "$postgres" immediate >/dev/null 2>&1 || true
  [ -z "${s3:-}" ] || "$root/scripts/servers/swift-s3.sh" stop "$s3" >/dev/null 2>&1 || true
  exit "$status"
}

begin() {
  [ -x "$sluice" ] || fail "no binary at $sluice; run 'make build' first, or set SLUICE_BINARY"
  [ -x "$python" ] || fail "no Python environment; run 'make setup' first"
  rm -rf "$work"
  mkdir -p "$work"
  trap clean_up EXIT
  trap 'exit 130' INT TERM
}

start_postgres() {
  postgres=$work/postgres
  export PGHOST=127.0.0.1 PGPORT PGUSER=postgres PGPASSWORD=postgres PGDATABASE=postgres
  PGPORT=$(free_port)
  "$root/scripts/servers/postgres.sh" start "$postgres" "$PGPORT" >/dev/null
}

# An S3 that checks signatures; it stands in for MinIO and AWS.
start_s3() {
  s3=$work/s3
  local port
  port=$(free_port)
  "$root/scripts/servers/swift-s3.sh" start "$s3" "$port" >/dev/null
  export S3_ENDPOINT=http://127.0.0.1:$port AWS_ACCESS_KEY_ID=test:tester AWS_SECRET_ACCESS_KEY=testing AWS_REGION=us-east-1
}

start_sluice() {
  [ -n "${rest:-}" ] || rest=127.0.0.1:$(free_port)
  "$sluice" run --data-dir "$work/data" --listen "$rest" --connectors-dir "$example/connectors" 2>>"$work/sluice.log" &
  worker=$!
}

kill_sluice() {
  kill -9 "$worker"
  wait "$worker" 2>/dev/null || true
  worker=
}

stop_sluice() {
  kill -TERM "$worker"
  wait "$worker" || fail "the worker ended with an error: $(tail -5 "$work/sluice.log")"
  worker=
}

# wait_for WHAT COMMAND…: asks until the command succeeds, a minute at most.
wait_for() {
  local what=$1 deadline=$((SECONDS + 60))
  shift
  until "$@" >"$work/last.txt" 2>&1; do
    [ $SECONDS -lt $deadline ] || fail "not within a minute: $what
$(tail -n 5 "$work/last.txt" "$work/sluice.log")"
    sleep 0.2
  done
}
