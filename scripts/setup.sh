#!/usr/bin/env bash
# Installs what Sluice needs on Debian 12, and nothing that is already there.
#   setup.sh build   C libraries and PostgreSQL
#   setup.sh query   the above, and Python with DuckDB in .venv
#   setup.sh test    the above, and what the tests need: kcat, Compose, Ceph, fakesnow, dbt, Airflow
set -euo pipefail
cd "$(dirname "$0")/.."
packages=(pkg-config libpq-dev libcurl4-openssl-dev libssl-dev libsqlite3-dev libmicrohttpd-dev libzstd-dev libsnappy-dev liblz4-dev
  zlib1g-dev libbz2-dev librdkafka-dev libpcre2-dev postgresql postgresql-contrib postgresql-client)
verb=${1:-build}
[ "$verb" = build ] || packages+=(python3-venv)
[ "$verb" != test ] || packages+=(kcat curl openssl docker-compose radosgw ceph-mon ceph-osd ceph-common)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
# A virtual package (postgresql-contrib) counts once what provides it is there.
if [ ${#missing[@]} -gt 0 ]; then
  root=(); [ "$(id -u)" = 0 ] || root=(sudo)
  echo "setup: installing ${missing[*]}"
  "${root[@]}" apt-get update -qq
  # The package must not start a server of its own on port 5432.
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/tmp/sluice-setup.log 2>&1 ||
    { tail -20 /tmp/sluice-setup.log >&2; exit 1; }
fi
command -v swift >/dev/null || { echo "setup: no Swift toolchain; Sluice needs Swift 6.3, see https://www.swift.org/install" >&2; exit 1; }

[ "$verb" = build ] || scripts/venv.sh .venv Tests/requirements.txt
if [ "$verb" = test ]; then
  scripts/venv.sh .venv-fakesnow Tests/requirements-fakesnow.txt
  # It is held to a DuckDB that fakesnow does not ask for.
  compgen -G '.venv-fakesnow/lib/python*/site-packages/fakesnow-0.12.1.dist-info' >/dev/null ||
    .venv-fakesnow/bin/pip install -q --disable-pip-version-check --no-deps fakesnow==0.12.1
  scripts/venv.sh .venv-dbt examples/banking-dbt/requirements.txt
  # The list is whole.
  scripts/venv.sh .venv-airflow examples/banking-minio-fr/dags/requirements.txt --no-deps
fi
