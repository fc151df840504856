"""The database, as the examples' checks look at it: psql and the PG* variables. Every column of a table is compared; which ones there are says the catalog,
so that none can be left out. A comparison that finds two sides equal must also see each column altered by a little, else it ends with an error."""
import datetime, decimal, json, subprocess, sys

# By type: what a column is in a comparison, how the other side's value becomes that, and a small alteration.
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MICROSECONDS = lambda value: value if isinstance(value, int) else (datetime.datetime.fromisoformat(value) - EPOCH) // datetime.timedelta(microseconds=1)
KINDS = {
    "numeric": ("{}", lambda value: decimal.Decimal(str(value)), "{} + 0.01"),
    "integer": ("{}", int, "{} + 1000000"),
    "bigint": ("{}", int, "{} + 1000000"),
    "timestamp with time zone": ("(extract(epoch from {}) * 1000000)::bigint", MICROSECONDS, "{} + interval '1 microsecond'"),
    "date": ("{}::text", str, "{} + 1"),
    "uuid": ("{}::text", str, "gen_random_uuid()"),
    # Of the same length: the column may be full.
    "text": ("{}::text", str, "overlay({} placing '~' from 1)"),
}
KINDS["character varying"] = KINDS["character"] = KINDS["text"]


def ask(*statements):
    """The rows of the last statement that has any, each an array; the statements are one session's."""
    arguments = [part for statement in statements for part in ("-c", statement)]
    text = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", *arguments], check=True, capture_output=True, text=True).stdout
    return [json.loads(line, parse_float=decimal.Decimal) for line in text.splitlines()]


def altered(change, query):
    """The rows of a query as they would be after a change, which is taken back; triggers and foreign keys do not look."""
    return ask("begin", "set local session_replication_role = replica", change, query, "rollback")


def columns(table):
    return [tuple(row) for row in ask(f"""select json_build_array(column_name, data_type) from information_schema.columns
        where table_schema = 'public' and table_name = '{table}' order by ordinal_position""")]


def ordered(rows):
    return sorted(rows, key=lambda row: json.dumps(row, default=str))


def must_be_equal(what, ours, theirs, alterations, query):
    """Ends the program unless both sides have the same rows, and unless every alteration, a name and a statement, makes them differ."""
    ours, theirs = ordered(ours), ordered(theirs)
    if ours != theirs:
        different = [pair for pair in zip(ours, theirs) if pair[0] != pair[1]]
        sys.exit(f"{what}: {len(ours)} rows here, {len(theirs)} in the database; first difference {different[:1]}")
    if not ours:
        sys.exit(f"{what}: no rows to compare")
    for name, change in alterations:
        if ordered(altered(change, query)) == theirs:
            sys.exit(f"{what}: the comparison does not see {name} altered")


def equals(table, newest):
    """Ends the program unless `newest`, one mapping of columns to values a row, has the table's rows; their number."""
    kinds = columns(table)
    query = f"select json_build_array({', '.join(KINDS[kind][0].format(name) for name, kind in kinds)}) from {table}"
    ours = [[None if row[name] is None else KINDS[kind][1](row[name]) for name, kind in kinds] for row in newest]
    one = lambda name: f"ctid = (select ctid from {table} where {name} is not null order by 1 limit 1)"
    changes = [(name, f"update {table} set {name} = {KINDS[kind][2].format(name)} where {one(name)}") for name, kind in kinds]
    changes.append(("a row", f"delete from {table} where {one(kinds[0][0])}"))
    must_be_equal(table, ours, ask(query), changes, query)
    return len(ours)
