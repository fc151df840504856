"""The warehouse, as run.sh looks at it: warehouse.py prepare (the stand-in's user, database and schema), or warehouse.py equals TABLE COLUMNS (RAW.TABLE's newest
image of every row, deleted ones left out, equals the table in PostgreSQL; no change may be there twice). $SNOWFLAKE_URL, _USER, _PASSWORD, _DATABASE and the PG* variables."""
import json, os, subprocess, sys, urllib.request, uuid

URL, USER, PASSWORD, DATABASE = (os.environ["SNOWFLAKE_" + name] for name in ("URL", "USER", "PASSWORD", "DATABASE"))


def post(path, body, token=""):
    headers = {"Content-Type": "application/json", "Authorization": f'Snowflake Token="{token}"'}
    return json.load(urllib.request.urlopen(urllib.request.Request(URL + path, json.dumps(body).encode(), headers)))


def sql(*statements):
    login = {"LOGIN_NAME": USER, "PASSWORD": PASSWORD, "ACCOUNT_NAME": "account", "SESSION_PARAMETERS": {}}
    token = post(f"/session/v1/login-request?databaseName={DATABASE}&schemaName=RAW", {"data": login})["data"]["token"]
    for statement in statements:
        answer = post(f"/queries/v1/query-request?requestId={uuid.uuid4()}", {"sqlText": statement}, token)
        if not answer["success"]:
            sys.exit(f"{statement}: {answer['message']}")
    return answer["data"].get("rowset", [])


def prepare():
    urllib.request.urlopen(urllib.request.Request(URL + "/test/user", json.dumps({"name": USER, "password": PASSWORD}).encode()))
    sql(f"create database if not exists {DATABASE}", f"create schema if not exists {DATABASE}.RAW")


def equals(table, columns):
    changes = [json.loads(row[0]) for row in sql(f"select data from {DATABASE}.RAW.{table.upper()}")]
    seen = {(change["id"], change["__lsn"], change["__op"]) for change in changes}
    if len(seen) != len(changes):
        sys.exit(f"{table}: {len(changes) - len(seen)} changes are in the table twice")
    newest = {}
    for change in sorted(changes, key=lambda change: change["__lsn"] or 0):
        newest[change["id"]] = change
    text = lambda value: None if value is None else str(value)
    ours = [tuple(text(row[c]) for c in columns.split(",")) for _, row in sorted(newest.items()) if row["__deleted"] != "true"]
    out = subprocess.run(["psql", "-qAtX", "-F", "\t", "-c", f"select {columns} from {table} order by id"], check=True, capture_output=True, text=True).stdout
    theirs = [tuple(value or None for value in line.split("\t")) for line in out.splitlines()]
    if ours != theirs:
        different = [pair for pair in zip(ours, theirs) if pair[0] != pair[1]]
        sys.exit(f"{table}: {len(ours)} rows in the warehouse, {len(theirs)} in the database; first difference {different[:1]}")
    print(f"{table}: {len(changes)} changes, {len(ours)} rows are equal")


{"prepare": prepare, "equals": equals}[sys.argv[1]](*sys.argv[2:])
