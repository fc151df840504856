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
# Every version there ever was, as the database's own journal has it; an image equal to the one before it is no version.
for mart, table, key, columns in [("dim_customers", "customers", "customer_id", ["first_name", "last_name", "email"]),
                                  ("dim_accounts", "accounts", "account_id", ["customer_id", "account_type", "balance", "currency"])]:
    image = ", ".join(f"image ->> '{c}' as {c}" for c in columns)
    same(f"{mart}, history", f"select {key}, {', '.join(columns)}, is_current from {mart} order by {key}, from_lsn",
         f"""with images as (select seq, id, image is null as deleted, {image}, jsonb_build_array(image is null, {', '.join(f"image -> '{c}'" for c in columns)}) as version from audit.journal where of_table = '{table}'),
             versions as (select *, version is distinct from lag(version) over (partition by id order by seq) as is_new from images),
             marked as (select *, seq = max(seq) over (partition by id) as is_last from versions where is_new)
             select id, {', '.join(columns)}, case when is_last then 'True' else 'False' end from marked where not deleted order by id, seq""")
same("fact_transactions", """select f.transaction_id, f.account_id, f.txn_type, f.amount, f.related_account_id, f.status from fact_transactions f
     join stg_transactions using (transaction_id) order by 1""",
     "select id, account_id, txn_type, amount, related_account_id, status from transactions order by id")
