"""The warehouse, as run.sh looks at it: warehouse.py prepare KEY (the stand-in's users, one by a
public key, database and schema), or warehouse.py equals TABLE (RAW.TABLE's newest
image of every row, deleted ones left out, equals the table in PostgreSQL; no change may be there twice). $SNOWFLAKE_URL, _USER, _PASSWORD, _DATABASE and the PG* variables."""
import decimal, json, os, sys, urllib.request, uuid

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../common"))
import database

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


def prepare(key):
    for user in {"name": USER, "password": PASSWORD}, {"name": "TRANSFORMER", "key": open(key).read()}:
        urllib.request.urlopen(urllib.request.Request(URL + "/test/user", json.dumps(user).encode()))
    sql(f"create database if not exists {DATABASE}", f"create schema if not exists {DATABASE}.RAW")


def equals(table):
    changes = [json.loads(row[0], parse_float=decimal.Decimal) for row in sql(f"select data from {DATABASE}.RAW.{table.upper()}")]
    seen = {(change["id"], change["__lsn"], change["__op"]) for change in changes}
    if len(seen) != len(changes):
        sys.exit(f"{table}: {len(changes) - len(seen)} changes are in the table twice")
    newest = {}
    for change in sorted(changes, key=lambda change: change["__lsn"] or 0):
        newest[change["id"]] = change
    ours = [row for row in newest.values() if row["__deleted"] != "true"]
    print(f"{table}: {len(changes)} changes, {database.equals(table, ours)} rows are equal")


{"prepare": prepare, "equals": equals}[sys.argv[1]](*sys.argv[2:])
