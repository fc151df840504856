#!/usr/bin/env bash
# The bank's generator: rounds of customers, accounts and transactions, committed one by one into the database of the PG* variables.
#
#   generate.sh [--once] [--interval SECONDS] [--customers N] [--accounts N] [--transactions N] [--max-amount X] [--currency C] [--seed N] [--config FILE]
#
# The file holds `name: value` or `name = value` lines with the names NUM_CUSTOMERS, ACCOUNTS_PER_CUSTOMER, NUM_TRANSACTIONS, MAX_TXN_AMOUNT, CURRENCY,
# INITIAL_BALANCE_MIN, INITIAL_BALANCE_MAX, SLEEP_SECONDS, DEFAULT_LOOP and SEED, in any case; flags win. `scripts/banking/schema.sql` makes the tables.
# Needs bash, awk and psql only.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
declare -A set=([num_customers]=10 [accounts_per_customer]=2 [num_transactions]=50 [max_txn_amount]=1000 [currency]=USD
  [initial_balance_min]=10 [initial_balance_max]=1000 [sleep_seconds]=2 [default_loop]=true [seed]=)
declare -A flag=()

fail() { echo "generate: $1" >&2; exit 2; }
number() { [[ $2 =~ ^[0-9]+(\.[0-9]+)?$ ]] || fail "$1 must be a number, not '$2'"; }
value() { [ $# -ge 2 ] || fail "$1 needs a value"; printf %s "$2"; }

while [ $# -gt 0 ]; do
  case $1 in
    --once) flag[default_loop]=false; shift; continue ;;
    --interval) flag[sleep_seconds]=$(value "$@") ;;
    --customers) flag[num_customers]=$(value "$@") ;;
    --accounts) flag[accounts_per_customer]=$(value "$@") ;;
    --transactions) flag[num_transactions]=$(value "$@") ;;
    --max-amount) flag[max_txn_amount]=$(value "$@") ;;
    --currency) flag[currency]=$(value "$@") ;;
    --seed) flag[seed]=$(value "$@") ;;
    --config) config=$(value "$@") ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) fail "unknown argument '$1'; --help shows them" ;;
  esac
  shift 2
done

if [ -n "${config:-}" ]; then
  [ -r "$config" ] || fail "the file $config cannot be read"
  while IFS=$'\t' read -r name text; do
    [ -n "${set[$name]+known}" ] || fail "$config: unknown name $name"
    set[$name]=$text
  done < <(awk '{ sub(/[ \t]*#.*/, "") } match($0, /[:=]/) { n = tolower(substr($0, 1, RSTART - 1)); v = substr($0, RSTART + 1)
    gsub(/^[ \t]+|[ \t]+$/, "", n); gsub(/^[ \t"\047]+|[ \t\r"\047]+$/, "", v); if (v != "") print n "\t" v }' "$config")
fi
for name in "${!flag[@]}"; do set[$name]=${flag[$name]}; done
for name in num_customers accounts_per_customer num_transactions max_txn_amount initial_balance_min initial_balance_max sleep_seconds; do number "$name" "${set[$name]}"; done
[ -z "${set[seed]}" ] || number seed "${set[seed]}"
[[ ${set[currency]} =~ ^[A-Za-z]{3}$ ]] || fail "currency must be three letters"

round=0
while :; do
  round=$((round + 1))
  options="-c client_min_messages=warning"
  for name in num_customers accounts_per_customer num_transactions max_txn_amount currency initial_balance_min initial_balance_max; do
    options+=" -c gen.$name=${set[$name]}"
  done
  [ -z "${set[seed]}" ] || options+=" -c gen.seed=${set[seed]}-$round"
  PGOPTIONS="${PGOPTIONS:-} $options" psql -qX -v ON_ERROR_STOP=1 -f "$here/generate.sql" > /dev/null
  echo "generate: round $round: ${set[num_customers]} customers, $((set[num_customers] * set[accounts_per_customer])) accounts, ${set[num_transactions]} transactions"
  [[ ${set[default_loop],,} == true ]] || break
  sleep "${set[sleep_seconds]}"
done
