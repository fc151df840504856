#!/usr/bin/env bash
# A page that shows the marts: dashboard.sh WAREHOUSE PAGE.html
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../../.venv-dbt/bin/python" "$here/dashboard.py" "$@"
