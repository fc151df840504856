"""The marts equal the database: current rows, and the history of what was changed. check.py WAREHOUSE (and the PG* variables)"""
import subprocess, sys
import duckdb

warehouse = duckdb.connect(sys.argv[1], read_only=True)


def database(sql):
    text = subprocess.run(["psql", "-qAtX", "-F", "\t", "-c", sql], check=True, capture_output=True, text=True).stdout
    return [tuple(value or None for value in line.split("\t")) for line in text.splitlines()]


def same(what, ours, theirs):
    ours = [tuple(None if v is None else str(v) for v in row) for row in warehouse.sql(ours).fetchall()]
    theirs = database(theirs)
    if ours != theirs:
        different = [pair for pair in zip(ours, theirs) if pair[0] != pair[1]]
        sys.exit(f"{what}: {len(ours)} rows in the mart, {len(theirs)} in the database; first difference {different[:1]}")
    print(f"banking-dbt: {what}: {len(ours)} rows are equal")


same("dim_customers, current", "select customer_id, first_name, last_name, email from dim_customers where is_current order by 1",
     "select id, first_name, last_name, email from customers order by id")
same("dim_accounts, current", "select account_id, customer_id, account_type, balance, currency from dim_accounts where is_current order by 1",
     "select id, customer_id, account_type, balance, currency from accounts order by id")
# The first round's customers whose id divides by four married between the two runs of dbt.
same("dim_customers, history", "select customer_id, max(last_name) filter (where is_current) from dim_customers group by 1 having count(*) = 2 order by 1",
     "select id, last_name from customers where id % 4 = 0 and id <= 10 order by id")
same("fact_transactions", """select f.transaction_id, f.account_id, f.txn_type, f.amount, f.related_account_id, f.status from fact_transactions f
     join stg_transactions using (transaction_id) order by 1""",
     "select id, account_id, txn_type, amount, related_account_id, status from transactions order by id")
