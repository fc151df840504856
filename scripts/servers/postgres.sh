#!/usr/bin/env bash
# A private PostgreSQL with logical replication, for demos and tests.
#   postgres.sh start DIR PORT [name=value …]   creates DIR on first use and starts the server on 127.0.0.1:PORT
#   postgres.sh stop DIR [fast|immediate]
#   postgres.sh watch DIR PID                   stops the server once process PID is gone
# The superuser is postgres with the password postgres. Root runs the server as the user postgres.
set -euo pipefail
command=${1:?start, stop or watch}; dir=${2:?data directory}
source "$(dirname "$0")/lib.sh"
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -x "${bin:-}/postgres" ] || { echo "postgres.sh: no PostgreSQL server here; run 'make setup'" >&2; exit 1; }
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi; }

case $command in
start)
  port=${3:?port}; shift 3
  if [ ! -s "$dir/PG_VERSION" ]; then
    mkdir -p "$dir"
    if [ "$(id -u)" = 0 ]; then
      chown postgres "$dir"
      # The server's user must be able to reach the directory through its parents.
      as test -x "$dir" || { echo "postgres.sh: the user postgres cannot enter $dir; choose a directory below /tmp or /var" >&2; exit 1; }
    fi
    (cd "$dir" && as "$bin/initdb" -D "$dir" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >/dev/null)
    cat >>"$dir/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
wal_level = logical
max_wal_senders = 40
max_replication_slots = 40
max_connections = 200
timezone = 'UTC'
log_min_messages = warning
CONF
    printf 'local all all trust\nhost all nopassword 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n' >"$dir/pg_hba.conf"
  fi
  options="-c port=$port"
  for setting in "$@"; do options="$options -c $setting"; done
  (cd "$dir" && as "$bin/pg_ctl" -D "$dir" -l "$dir/server.log" -w -t 60 -o "$options" start >/dev/null) || { tail -5 "$dir/server.log" >&2; exit 1; }
  as "$bin/psql" -h "$dir" -p "$port" -U postgres -d postgres -qc "alter role postgres password 'postgres'"
  ;;
stop) (cd "$dir" && as "$bin/pg_ctl" -D "$dir" -m "${3:-fast}" -w stop >/dev/null) ;;
watch) watch "${3:?process}" immediate ;;
*) echo "postgres.sh: start, stop or watch" >&2; exit 2 ;;
esac
