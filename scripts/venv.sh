#!/usr/bin/env bash
# venv.sh NAME REQUIREMENTS [PIP OPTION...]: the Python environment NAME of this checkout (.venv, .venv-dbt ...) holds what the file lists, and is not
# touched when it does already.
set -euo pipefail
venv=$(cd "$(dirname "$0")/.." && pwd)/$1 requirements=$2
shift 2
cmp -s "$requirements" "$venv/requirements.txt" && exit
echo "setup: Python environment $(basename "$venv")"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q --disable-pip-version-check "$@" -r "$requirements"
cp "$requirements" "$venv/requirements.txt"
