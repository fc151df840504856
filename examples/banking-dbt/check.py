"""The marts equal the database: current rows, and the history of what was changed. check.py WAREHOUSE: a DuckDB file,
or the word snowflake (and the PG* variables, and those of profiles.yml)"""
import os, sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../common"))
import database

if sys.argv[1] == "snowflake":
    import snowflake.connector
    names = {name: name.upper() for name in ("account", "user", "password", "role", "warehouse", "database", "host", "port", "protocol")} | {"private_key_file": "PRIVATE_KEY_PATH"}
    session = snowflake.connector.connect(schema="ANALYTICS", **{ours: os.environ["SNOWFLAKE_" + theirs] for ours, theirs in names.items() if "SNOWFLAKE_" + theirs in os.environ})
    ask = lambda sql: session.cursor().execute(sql).fetchall()
else:
    import duckdb
    session = duckdb.connect(sys.argv[1], read_only=True)
    ask = lambda sql: session.sql(sql).fetchall()
KEYS = {"customers": "customer_id", "accounts": "account_id", "transactions": "transaction_id"}


def mart(sql, table, names):
    """A mart's rows, as the database's columns are compared."""
    kinds = dict(database.columns(table), is_current="boolean", version="integer")
    normal = {name: database.KINDS[kinds[name]][1] if kinds[name] in database.KINDS else bool for name in names}
    return [[None if value is None else normal[name](value) for name, value in zip(names, row)] for row in ask(sql)]


def same(what, sql, table, names, query, alterations):
    rows = mart(sql, table, names)
    database.must_be_equal(what, rows, database.ask(query), alterations, query)
    print(f"banking-dbt: {what}: {len(rows)} rows are equal")


def altered(table, name, place):
    kind = dict(database.columns(table))[name]
    return (name, f"update {table} set {name} = {database.KINDS[kind][2].format(name)} where {place} = (select {place} from {table} where {name} is not null limit 1)")


def current(what, source, table, names):
    shown = ", ".join(KEYS[table] if name == "id" else name for name in names)
    query = f"select json_build_array({', '.join(names)}) from {table}"
    same(what, f"select {shown} from {source}", table, names, query, [altered(table, name, "id") for name in names])


def history(what, table, names):
    """Every version there ever was, in its order, as the database's own journal has it; an image equal to the one before it is no version."""
    key, shown = KEYS[table], ", ".join(names)
    image = ", ".join(f"(jsonb_populate_record(null::public.{table}, image)).{name}" for name in names)
    query = f"""with images as (select seq, id as of_row, image is null as deleted, {image} from audit.journal where of_table = '{table}'),
            compared as (select *, row(deleted, {shown}) is distinct from lag(row(deleted, {shown})) over (partition by of_row order by seq) as is_new from images),
            marked as (select *, seq = max(seq) over (partition by of_row) as is_last from compared where is_new)
        select json_build_array({shown}, is_last, row_number() over (partition by of_row order by seq)) from marked where not deleted"""
    ours = f"""select {key}, {', '.join(names[1:])}, is_current, row_number() over (partition by {key} order by from_lsn) from {what}"""
    # The journal altered in one column of one version, with one version less, and with its last two versions the other way round.
    of = f"of_table = '{table}' and image is not null"
    kinds = dict(database.columns(table))
    changes = []
    for name in names[1:]:
        old = f"(select {name} from jsonb_populate_record(null::public.{table}, image))"
        new = database.KINDS[kinds[name]][2].format(old)
        changes.append((name, f"update audit.journal set image = jsonb_set(image, '{{{name}}}', to_jsonb({new})) where seq = (select min(seq) from audit.journal where {of})"))
    twice = f"select id from audit.journal where {of} group by id having count(*) > 1 limit 1"
    changes.append(("a version", f"delete from audit.journal where seq = (select min(seq) from audit.journal where {of} and id = ({twice}))"))
    changes.append(("the order of versions", f"update audit.journal set seq = -seq where {of} and id = ({twice})"))
    same(f"{what}, history", ours, table, [*names, "is_current", "version"], query, changes)


CUSTOMERS = ["id", "first_name", "last_name", "email"]
ACCOUNTS = ["id", "customer_id", "account_type", "balance", "currency"]
current("dim_customers, current", "dim_customers where is_current", "customers", CUSTOMERS)
current("dim_accounts, current", "dim_accounts where is_current", "accounts", ACCOUNTS)
history("dim_customers", "customers", CUSTOMERS)
history("dim_accounts", "accounts", ACCOUNTS)
current("fact_transactions", "fact_transactions", "transactions", ["id", "account_id", "txn_type", "amount", "related_account_id", "status"])
