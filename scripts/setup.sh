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

if [ "$verb" != build ] && ! cmp -s Tests/requirements.txt .venv/requirements.txt; then
  echo "setup: Python environment for the tests (.venv)"
  python3 -m venv .venv
  .venv/bin/pip install -q --disable-pip-version-check -r Tests/requirements.txt
  cp Tests/requirements.txt .venv/requirements.txt
fi

if [ "$verb" = test ] && ! cmp -s Tests/requirements-fakesnow.txt .venv-fakesnow/requirements.txt; then
  echo "setup: fakesnow for the tests (.venv-fakesnow)"
  python3 -m venv .venv-fakesnow
  .venv-fakesnow/bin/pip install -q --disable-pip-version-check -r Tests/requirements-fakesnow.txt
  .venv-fakesnow/bin/pip install -q --disable-pip-version-check --no-deps fakesnow==0.12.1
  cp Tests/requirements-fakesnow.txt .venv-fakesnow/requirements.txt
fi

if [ "$verb" = test ] && ! cmp -s examples/banking-dbt/requirements.txt .venv-dbt/requirements.txt; then
  echo "setup: dbt for the examples (.venv-dbt)"
  [ -x .venv-dbt/bin/python ] || python3 -m venv .venv-dbt
  .venv-dbt/bin/pip install -q --disable-pip-version-check -r examples/banking-dbt/requirements.txt
  cp examples/banking-dbt/requirements.txt .venv-dbt/requirements.txt
fi

airflow=examples/banking-minio-fr/dags/requirements.txt
if [ "$verb" = test ] && ! cmp -s $airflow .venv-airflow/requirements.txt; then
  echo "setup: Airflow for the examples (.venv-airflow)"
  python3 -m venv .venv-airflow
  .venv-airflow/bin/pip install -q --disable-pip-version-check --no-deps -r $airflow
  cp $airflow .venv-airflow/requirements.txt
fi
