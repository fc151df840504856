#!/usr/bin/env bash
# A page that shows the marts.
#   dashboard.sh write WAREHOUSE PAGE.html
#   dashboard.sh check WAREHOUSE PAGE.html   compares it with PostgreSQL and the journal of common/banking.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
case $1 in
write) script=dashboard.py ;;
check) script=dashboard_check.py ;;
*) echo "dashboard.sh: write or check, not '$1'" >&2; exit 2 ;;
esac
exec "$here/../../.venv-dbt/bin/python" "$here/$script" "${@:2}"
