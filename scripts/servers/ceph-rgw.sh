#!/usr/bin/env bash
# Ceph's S3 gateway (Debian's radosgw, ceph-mon, ceph-osd, ceph-common), for tests: one monitor, one store in memory, no manager. It verifies
# signatures and payload hashes as Swift does, and is what many own clouds run.
#   ceph-rgw.sh start DIR PORT    starts it on 127.0.0.1:PORT, its files in DIR; what it held before is gone
#   ceph-rgw.sh stop DIR
#   ceph-rgw.sh watch DIR PID     stops it once process PID is gone
# Access key test:tester, secret testing, region us-east-1, path style. CEPH_PREFIX: where the packages are unpacked; empty when they are installed.
set -euo pipefail
command=${1:?start, stop or watch}; dir=${2:?directory}
source "$(dirname "$0")/lib.sh"
prefix=${CEPH_PREFIX:-}
lib=$prefix/usr/lib/x86_64-linux-gnu
[ -d "$lib" ] || lib=$prefix/usr/lib/$(uname -m)-linux-gnu
if [ -n "$prefix" ]; then
  export LD_LIBRARY_PATH=$lib:$lib/ceph:$prefix/lib/$(basename "$lib") PATH=$prefix/usr/bin:$PATH PYTHONPATH=$prefix/usr/lib/python3/dist-packages
fi
export CEPH_CONF=$dir/ceph.conf

# The system's Python has Ceph's modules, whatever else comes first in PATH.
ceph() { /usr/bin/python3 "$prefix/usr/bin/ceph" --connect-timeout 20 "$@"; }

daemon() {
  local name=$1; shift
  setsid nohup "$@" >"$dir/$name.out" 2>&1 </dev/null &
  echo $! >"$dir/$name.pid"
}

# until_true WHAT COMMAND...
until_true() {
  local what=$1; shift
  for _ in $(seq 150); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
  echo "ceph-rgw.sh: $what did not come up" >&2
  tail -5 "$dir"/*.out >&2
  exit 1
}

configure() {
  local fsid mon="v2:127.0.0.1:$(free_port)" keys=$dir/keyring
  fsid=$(cat /proc/sys/kernel/random/uuid)
  cat >"$dir/ceph.conf" <<CONF
[global]
fsid = $fsid
mon_host = [$mon]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 8
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
osd_crush_chooseleaf_type = 0
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_class_dir = $lib/rados-classes
erasure_code_dir = $lib/ceph/erasure-code
plugin_dir = $lib/ceph
log_file = $dir/\$name.log
run_dir = $dir
admin_socket = $dir/\$name.asok
pid_file =
keyring = $keys
mon_data = $dir/mon
osd_data = $dir/osd
rgw_data = $dir/rgw
CONF
  mkdir -p "$dir/mon" "$dir/osd" "$dir/rgw"
  ceph-authtool --create-keyring "$keys" --gen-key -n mon. --cap mon 'allow *'
  ceph-authtool "$keys" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  ceph-authtool "$keys" --gen-key -n client.rgw.a --cap mon 'allow rw' --cap osd 'allow rwx'
  ceph-authtool "$keys" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *' --cap mgr 'allow *'
  monmaptool --create --clobber --fsid "$fsid" --addv a "[$mon]" "$dir/monmap"
  ceph-mon --mkfs -i a --monmap "$dir/monmap" --keyring "$keys"
} >"$dir/configure.out" 2>&1

osd_is_up() { ceph osd stat | grep -q '1 up'; }

case $command in
start)
  port=${3:?port}
  command -v radosgw >/dev/null || { echo "ceph-rgw.sh: radosgw is not installed; run 'scripts/setup.sh test'" >&2; exit 1; }
  rm -rf "$dir"; mkdir -p "$dir"
  configure
  daemon mon ceph-mon -f -i a
  until_true "the monitor" ceph -s
  uuid=$(cat /proc/sys/kernel/random/uuid)
  ceph osd new "$uuid" >/dev/null
  ceph-osd -i 0 --mkfs --osd-uuid "$uuid" >"$dir/mkfs.out" 2>&1
  daemon osd ceph-osd -f -i 0
  until_true "the store" osd_is_up
  daemon rgw radosgw -f -n client.rgw.a --rgw-frontends "beast endpoint=127.0.0.1:$port"
  until_true "the gateway" curl -fsS "http://127.0.0.1:$port/"
  radosgw-admin -n client.rgw.a user create --uid=test --display-name=test --access-key=test:tester --secret-key=testing >"$dir/user.out" 2>&1
  ;;
stop) end KILL rgw osd mon ;;
watch) watch "${3:?process}" ;;
*) echo "ceph-rgw.sh: start, stop or watch" >&2; exit 2 ;;
esac
