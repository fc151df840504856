#!/usr/bin/env bash
# moto (PyPI package `moto`): AWS's S3, STS and IAM in one process, for what Swift does not have: tags, encryption headers, roles.
#   moto.sh start DIR PORT    starts it on 127.0.0.1:PORT, its log in DIR
#   moto.sh stop DIR
#   moto.sh watch DIR PID     stops it once process PID is gone
# It accepts any key and signature.
set -euo pipefail
command=${1:?start, stop or watch}; dir=${2:?directory}
source "$(dirname "$0")/lib.sh"
bin=${SLUICE_VENV:-$(cd "$(dirname "$0")/../.." && pwd)/.venv}/bin

case $command in
start)
  port=${3:?port}
  [ -f "$bin/moto_server" ] || { echo "moto.sh: moto is not in $bin; run 'make setup'" >&2; exit 1; }
  mkdir -p "$dir"
  nohup "$bin/python" "$bin/moto_server" -H 127.0.0.1 -p "$port" >"$dir/moto.log" 2>&1 </dev/null &
  echo $! >"$dir/moto.pid"
  for _ in $(seq 300); do
    curl -sS -o /dev/null "http://127.0.0.1:$port/" 2>/dev/null && exit 0
    sleep 0.1
  done
  echo "moto.sh: the server did not start" >&2
  tail -5 "$dir/moto.log" >&2
  exit 1
  ;;
stop) end TERM moto ;;
watch) watch "${3:?process}" ;;
*) echo "moto.sh: start, stop or watch" >&2; exit 2 ;;
esac
