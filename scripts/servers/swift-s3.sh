#!/usr/bin/env bash
# OpenStack Swift with its S3 API (PyPI package `swift`), for demos and tests: verifies signatures, payload hashes and checksums.
#   swift-s3.sh start DIR PORT    starts it on 127.0.0.1:PORT with its data below DIR
#   swift-s3.sh stop DIR
#   swift-s3.sh watch DIR PID     stops it once process PID is gone
# Access key test:tester, secret testing, region us-east-1, path style.
set -euo pipefail
command=${1:?start, stop or watch}; dir=${2:?data directory}
source "$(dirname "$0")/lib.sh"
bin=${SLUICE_VENV:-$(cd "$(dirname "$0")/../.." && pwd)/.venv}/bin
python=$bin/python

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# storage NAME PORT: one of the storage servers, with a ring of one device.
storage() {
  cat >"$dir/etc/$1-server.conf" <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $2
workers = 0
user = $(id -un)
swift_dir = $dir/etc
devices = $dir/srv
mount_check = false
log_address = /dev/null
fallocate_reserve = 0
disable_fallocate = true
[pipeline:main]
pipeline = $1-server
[app:$1-server]
use = egg:swift#$1
CONF
  "$python" "$bin/swift-ring-builder" "$dir/etc/$1.builder" create 4 1 1 >/dev/null
  "$python" "$bin/swift-ring-builder" "$dir/etc/$1.builder" add "r1z1-127.0.0.1:$2/d1" 1 >/dev/null
  "$python" "$bin/swift-ring-builder" "$dir/etc/$1.builder" rebalance >/dev/null
}

configure() {
  mkdir -p "$dir/etc" "$dir/srv/d1"
  cat >"$dir/etc/swift.conf" <<CONF
[swift-hash]
swift_hash_path_prefix = sluice
swift_hash_path_suffix = sluice
[storage-policy:0]
name = gold
default = yes
CONF
  for server in account container object; do storage $server "$(free_port)"; done
  {
    cat <<CONF
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $1
workers = 0
user = $(id -un)
swift_dir = $dir/etc
log_address = /dev/null
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck listing_formats s3api tempauth copy slo dlo versioned_writes symlink proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
storage_domain = localhost
s3_acl = false
check_bucket_owner = false
min_segment_size = 5242880
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
allow_object_versioning = true
CONF
    for filter in catch_errors gatekeeper healthcheck listing_formats copy slo dlo symlink; do printf '[filter:%s]\nuse = egg:swift#%s\n' $filter $filter; done
  } >"$dir/etc/proxy-server.conf"
}

case $command in
start)
  port=${3:?port}
  [ -f "$bin/swift-proxy-server" ] || { echo "swift-s3.sh: Swift is not in $bin; run 'make setup'" >&2; exit 1; }
  [ -f "$dir/etc/proxy-server.conf" ] || configure "$port"
  export SWIFT_CONF_DIR=$dir/etc
  for server in account container object proxy; do
    nohup "$python" "$bin/swift-$server-server" "$dir/etc/$server-server.conf" -v >"$dir/$server.log" 2>&1 </dev/null &
    echo $! >"$dir/$server.pid"
  done
  # The proxy answers 503 until all three servers behind it listen.
  ports=$(sed -n 's/^bind_port = //p' "$dir"/etc/*-server.conf)
  for _ in $(seq 300); do
    up=yes
    for p in $ports; do listening "$p" || up=no; done
    [ $up = yes ] && curl -fsS -o /dev/null "http://127.0.0.1:$port/healthcheck" 2>/dev/null && exit 0
    sleep 0.2
  done
  echo "swift-s3.sh: the server did not start" >&2
  tail -5 "$dir"/*.log >&2
  exit 1
  ;;
stop) end TERM proxy object container account ;;
watch) watch "${3:?process}" ;;
*) echo "swift-s3.sh: start, stop or watch" >&2; exit 2 ;;
esac
