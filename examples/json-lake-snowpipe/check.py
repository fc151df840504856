"""The lake of JSON events equals the database, and the history made of it equals the journal of changes: check.py LAKE (and the PG* variables)"""
import glob, os, subprocess, sys
import duckdb

lake = sys.argv[1]
here = os.path.dirname(os.path.abspath(__file__))


def events(table):
    files = glob.glob(f"{lake}/bronze/banking_server.public.{table}/**/*.json.gz", recursive=True)
    return f"read_json({files!r}, format = 'newline_delimited', union_by_name = true, maximum_object_size = 16777216, hive_partitioning = false)" if files else sys.exit(f"no file of {table} yet")


def database(sql):
    text = subprocess.run(["psql", "-qAtX", "-F", "\t", "-c", sql], check=True, capture_output=True, text=True).stdout
    return [tuple(value or None for value in line.split("\t")) for line in text.splitlines()]


for table, columns in [("customers", ["id", "first_name", "last_name", "email"]), ("accounts", ["id", "customer_id", "account_type", "currency"]),
                       ("transactions", ["id", "account_id", "txn_type", "related_account_id", "status"])]:
    shown = ", ".join(f"(after).{c}::varchar" for c in columns)
    newest = f"select * from {events(table)} qualify row_number() over (partition by coalesce((after).id, (before).id) order by (source).lsn desc nulls last) = 1"
    ours = duckdb.sql(f"select {shown} from ({newest}) where op <> 'd' order by (after).id").fetchall()
    theirs = database(f"select {', '.join(columns)} from {table} order by id")
    if ours != theirs:
        sys.exit(f"{table}: {len(ours)} rows in the lake, {len(theirs)} in the database, or they differ")
    print(f"{table}: {len(ours)} rows are equal")

history = open(f"{here}/history.sql").read().replace("__EVENTS__", events("customers"))
ours = [tuple(map(str, row)) for row in duckdb.sql(f"select id, last_name, is_current from ({history}) order by id, valid_from, is_current").fetchall()]
# The journal is written by a trigger in the same transactions.
theirs = [tuple(row) for row in database("""select id, last_name, case when n = count(*) over (partition by id) then 'True' else 'False' end
    from (select *, row_number() over (partition by id order by seq) as n from journal) j order by id, n""")]
if ours != theirs:
    sys.exit(f"history: {len(ours)} versions made of the lake, {len(theirs)} in the journal, or they differ")
print(f"history of customers: {len(ours)} versions equal the journal")
