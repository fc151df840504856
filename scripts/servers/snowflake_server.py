"""fakesnow with what the real service has and it has not, as documented by Snowflake and done by its Python connector:

login that is verified (passwords, RS256 key pairs with the fingerprint in the issuer, OAuth), sessions that end and are renewed by the master token,
statements that are still running, requests sent twice with one requestId, results as JSON, LIST and REMOVE with a path, COPY with FILES on internal
stages, stages on S3 and on GCS by token, client-side encryption, Snowpipe (snowflake_pipes.py), Snowpipe Streaming (snowflake_streaming.py) and the SQL API
(snowflake_statements.py).

POST /test/... steers it: see `control`. Whatever it does not know goes to fakesnow.
"""
import asyncio, base64, gzip, hashlib, importlib, json, os, re, secrets, shutil, sys, threading, time, urllib.parse, urllib.request

import jwt
import pyarrow as pa
import sqlglot
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from fakesnow.transforms import stage as fake_stage
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

# The package has a function of that name too.
fake = importlib.import_module("fakesnow.server")
lock = threading.RLock()
one_at_a_time = asyncio.Lock()
# users: name -> {"password": …} or {"key": PEM of the public key}; sessions: token -> {"fake": fakesnow's token, "ended": code or None}
users, sessions, masters, answers, running = {}, {}, {}, {}, {}
state = {"stage": "presigned", "roles": {}, "statements": [], "faults": [], "slow": 0, "uploads": [], "requests": []}
material = {"queryStageMasterKey": base64.b64encode(b"0123456789abcdef").decode(), "queryId": "01b-query", "smkId": 4711}


class Call:
    """As much of a request as fakesnow looks at."""

    def __init__(self, body, token, request):
        self._body, self.headers, self.url, self.query_params = body, {"Authorization": f'Snowflake Token="{token}"'}, request.url, request.query_params

    async def body(self):
        return self._body


async def body_of(request):
    """A request's JSON; Snowflake's Python connector compresses it."""
    body = await request.body()
    return gzip.decompress(body) if request.headers.get("content-encoding") == "gzip" else body


def refusal(code, message, status=200, sqlstate="08001"):
    return JSONResponse({"data": {"sqlState": sqlstate, "errorCode": code}, "code": code, "message": message, "success": False}, status_code=status)


# ---- who is it


def verified_token(token):
    """The user of a key-pair token, or a text about what is wrong with it."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        account, user = claims["sub"].split(".", 1)
        pem = users.get(user, {}).get("key")
        if not pem:
            return None, "JWT token is invalid. No public key of the user"
        key = serialization.load_pem_public_key(pem.encode())
        der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        if claims["iss"] != f"{account}.{user}.SHA256:{base64.b64encode(hashlib.sha256(der).digest()).decode()}":
            return None, "JWT token is invalid. Fingerprint mismatch"
        jwt.decode(token, key, algorithms=["RS256"], leeway=5)
        return user, None
    except Exception as e:
        return None, f"JWT token is invalid. {type(e).__name__}"


def bearer(request):
    """The user of a REST call with a key-pair or OAuth token, or None."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    kind = request.headers.get("x-snowflake-authorization-token-type")
    if kind == "OAUTH":
        return token if token in state.get("oauth", []) else None
    return verified_token(token)[0]


async def login(request):
    body = json.loads(await body_of(request))
    data = body["data"]
    user, kind = data["LOGIN_NAME"].upper(), data.get("AUTHENTICATOR", "SNOWFLAKE")
    if kind == "SNOWFLAKE_JWT":
        who, wrong = verified_token(data["TOKEN"])
        if who != user:
            return refusal("390144", wrong or "JWT token is invalid.")
    elif kind == "OAUTH":
        if data["TOKEN"] not in state.get("oauth", []):
            return refusal("390303", "Invalid OAuth access token.")
    elif users.get(user, {}).get("password") != data.get("PASSWORD"):
        return refusal("390100", "Incorrect username or password was specified.")
    role = request.query_params.get("roleName")
    if role and state["roles"] and role.strip('"').upper() not in state["roles"].get(user, []):
        return refusal("390189", f"Role '{role}' specified in the connect string is not granted to this user.")
    answer = json.loads((await fake.login_request(Call(json.dumps(body).encode(), "", request))).body)
    token, master = "s-" + secrets.token_hex(8), "m-" + secrets.token_hex(8)
    with lock:
        sessions[token] = {"fake": answer["data"]["token"], "ended": None, "role": (role or "PUBLIC").strip('"').upper(), "warehouse": request.query_params.get("warehouse"),
                           "plain": data.get("CLIENT_APP_ID") == "PythonConnector"}
        masters[master] = token
    answer["data"].update(token=token, masterToken=master, validityInSeconds=3600, masterValidityInSeconds=14400)
    return JSONResponse(answer)


async def renew(request):
    master = request.headers["authorization"][17:-1]
    body = json.loads(await request.body())
    with lock:
        old = masters.get(master)
        if old is None or sessions[old]["ended"] == "master":
            return refusal("390114", "Authentication token has expired. The user must authenticate again.")
        assert body == {"oldSessionToken": old, "requestType": "RENEW"}, body
        token, fresh = "s-" + secrets.token_hex(8), "m-" + secrets.token_hex(8)
        sessions[token] = {**sessions.pop(old), "ended": None}
        masters[fresh] = token
        del masters[master]
    return JSONResponse({"data": {"sessionToken": token, "masterToken": fresh, "validityInSecondsST": 3600}, "success": True})


async def end_session(request):
    with lock:
        sessions.pop(request.headers["authorization"][17:-1], None)
    return JSONResponse({"success": True})


# ---- statements


async def query(request):
    token, request_id = request.headers.get("authorization", "")[17:-1], request.query_params["requestId"]
    text = await body_of(request)
    sql = json.loads(text)["sqlText"]
    with lock:
        state["requests"].append({"id": request_id, "sql": sql, "retry": request.query_params.get("retryCount")})
        session = sessions.get(token)
    if session and session["plain"]:
        # The Python connector, and so dbt, reads Arrow as fakesnow writes it and needs little of what is added here.
        return await by_python(sql, session, request)
    if session is None:
        return refusal("390104", "User must login again to access the service.")
    if session["ended"]:
        return refusal("390112" if session["ended"] == "session" else "390114", "Session no longer exists. New login required to access the service.")
    fault = take_fault(sql)
    if fault and fault["when"] == "before":
        return await held(fault, request) or fault_answer(fault)
    with lock:
        known = answers.get(request_id)
    if known is None:
        known = await run(sql, session, request)
        with lock:
            answers[request_id] = known
            state["statements"].append(sql)
    if fault:
        return await held(fault, request) or fault_answer(fault)
    if state["slow"] > 0:
        state["slow"] -= 1
        running[request_id] = known
        return JSONResponse({"code": "333334", "success": True, "message": None, "data": {"getResultUrl": f"/queries/{request_id}/result", "queryId": request_id}})
    return JSONResponse(known)


def take_fault(text):
    with lock:
        for fault in state["faults"]:
            if fault["times"] > 0 and re.search(fault["match"], text):
                fault["times"] -= 1
                return fault
    return None


async def held(fault, request):
    """With `hold` no answer is given until whoever asked is gone; None for other faults."""
    if not fault.get("hold"):
        return None
    state["held"] = state.get("held", 0) + 1
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    return Response(status_code=499)


def fault_answer(fault):
    if "code" in fault:
        return refusal(fault["code"], fault.get("message", "refused by the test"), sqlstate=fault.get("sqlState", "42000"))
    return PlainTextResponse("fault", status_code=fault["status"])


async def result(request):
    identity = request.path_params["id"]
    if state["slow"] > 0:
        state["slow"] -= 1
        return JSONResponse({"code": "333333", "success": True, "data": {"getResultUrl": f"/queries/{identity}/result"}})
    return JSONResponse(running[identity])


def rows(columns, values):
    return {"success": True, "data": {"rowtype": [{"name": c} for c in columns], "rowset": values, "queryResultFormat": "json", "queryId": secrets.token_hex(8)}}


def unquoted(name):
    return ".".join(p[1:-1] if p.startswith('"') else p.upper() for p in re.findall(r'"[^"]*"|[^."]+', name))


async def fakesnow(sql, session, request):
    """A statement by fakesnow, its result as the JSON that was asked for. One at a time: its sessions share DuckDB connections."""
    async with one_at_a_time:
        answer = await fake.query_request(Call(json.dumps({"sqlText": sql}).encode(), session["fake"], request))
    answer = json.loads(answer.body)
    data = answer.get("data") or {}
    if data.get("rowsetBase64"):
        table = pa.ipc.open_stream(base64.b64decode(data.pop("rowsetBase64"))).read_all()
        data["rowset"] = [[None if v is None else str(v) for v in row.values()] for row in table.to_pylist()]
    if "queryResultFormat" in data:
        data["queryResultFormat"] = "json"
        data.pop("rowsetBase64", None)
        data.setdefault("rowset", [])
    return answer


async def by_python(sql, session, request):
    """DuckDB has no temporary tables in a named schema, so they stay, and one transaction for all of fakesnow's sessions, so every statement is one of
    its own. An error of fakesnow's own is an answer: the connector would ask for ever."""
    lead = r"^((?:\s|/\*.*?\*/|--[^\n]*\n)*)"
    sql = re.sub(lead + r"(create or replace\s+)temporary\s", r"\1\2", sql, flags=re.I | re.S)
    sql = re.sub(lead + r"(begin|commit|rollback)\b.*", "select 'Statement executed successfully.' as status", sql, flags=re.I | re.S)
    if re.match(lead + r"merge\s", sql, re.I | re.S):
        sql = of_the_source(sql)
    async with one_at_a_time:
        answer = await fake.query_request(Call(json.dumps({"sqlText": sql}).encode(), session["fake"], request))
    return JSONResponse(failed("000603", "XX000", "fakesnow failed: " + sql)) if answer.status_code == 500 else answer


def of_the_source(merge):
    """A MERGE in which the columns an INSERT takes its values from are qualified: they are the source's, and DuckDB would find the target's too."""
    merge = sqlglot.parse_one(merge, read="snowflake")
    source = merge.args["using"].alias_or_name
    for insert in merge.find_all(sqlglot.exp.Insert):
        for column in insert.expression.find_all(sqlglot.exp.Column):
            if not column.table:
                column.set("table", sqlglot.exp.to_identifier(source))
    return merge.sql(dialect="snowflake")


async def run(sql, session, request):
    sql = sql.strip()
    for pattern, handler in handlers:
        if match := re.match(pattern, sql, re.I | re.S):
            if (answer := await handler(match, sql, session, request)) is not None:
                return answer
    return await fakesnow(sql, session, request)


def failed(code, sqlstate, message):
    return {"success": False, "code": code, "message": message, "data": {"sqlState": sqlstate, "errorCode": code, "queryId": secrets.token_hex(8)}}


async def exists(kind, name, session, request):
    parts = unquoted(name).split(".")
    where = {"table": f"select 1 from {'.'.join(parts[:1])}.information_schema.tables where table_schema='{parts[-2] if len(parts) > 1 else ''}' and table_name='{parts[-1]}'"}
    if kind == "table" and len(parts) == 3:
        return bool((await fakesnow(where["table"], session, request))["data"]["rowset"])
    return True


async def describe_table(match, sql, session, request):
    name = match[1]
    if '"' in name and name.count(".") == 0 or name.count(".") < 2:
        return None if (await fakesnow(sql, session, request)).get("success") else failed("002003", "42S02", f"Table '{unquoted(name)}' does not exist or not authorized.")
    if not await exists("table", name, session, request):
        return failed("002003", "42S02", f"SQL compilation error:\nTable '{unquoted(name)}' does not exist or not authorized.")


async def select_current(match, sql, session, request):
    return rows(["ROLE", "WAREHOUSE", "DATABASE", "SCHEMA"], [[session["role"], session["warehouse"], "D", "S"]])


async def running_copies(match, sql, session, request):
    state["copies"] = max(0, state.get("copies", 0) - 1)
    return rows(["RUNNING"], [[str(state["copies"])]])


async def use(match, sql, session, request):
    kind, name = match[1].lower(), unquoted(match[2])
    if name in state.get("hidden", []):
        return failed("002043", "02000", f"SQL compilation error:\nObject does not exist, or operation cannot be performed.")
    return rows(["status"], [["Statement executed successfully."]])


async def show_grants(match, sql, session, request):
    return rows(["created_on", "privilege", "granted_on", "name", "granted_to", "grantee_name"], [["now", p, "TABLE", unquoted(match[1]), "ROLE", session["role"]] for p in state.get("grants", ["OWNERSHIP"])])


async def drop(match, sql, session, request):
    if match[1].upper() == "STAGE":
        shutil.rmtree(directory_of(match[2], session), ignore_errors=True)
    return rows(["status"], [[f"{unquoted(match[2])} successfully dropped."]])


async def describe_stage(match, sql, session, request):
    name = unquoted(match[1])
    if name in state.get("hidden", []):
        return failed("002003", "02000", f"SQL compilation error:\nStage '{name}' does not exist or not authorized.")
    return rows(["parent_property", "property"], [])


# ---- stages


def directory_of(stage, session):
    parts = unquoted(stage).split(".")
    parts = (["D", "S"] + parts)[-3:]
    return "/".join([fake_stage.LOCAL_BUCKET_PATH, *parts])


async def list_stage(match, sql, session, request):
    root, path = directory_of(match[1], session), match[2].strip("/")
    found = []
    for base, _, names in os.walk(root):
        for name in sorted(names):
            file = os.path.join(base, name)
            if os.path.relpath(file, root).startswith(path):
                when = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(os.path.getmtime(file)))
                found.append([unquoted(match[1]).split(".")[-1].lower() + "/" + os.path.relpath(file, root), str(os.path.getsize(file)), "md5", when])
    return rows(["name", "size", "md5", "last_modified"], sorted(found))


async def remove(match, sql, session, request):
    root, path, pattern = directory_of(match[1], session), match[2].strip("/"), match[3]
    gone = []
    for base, _, names in os.walk(os.path.join(root, path)):
        for name in names:
            file = os.path.join(base, name)
            if not pattern or re.fullmatch(pattern, os.path.relpath(file, root)):
                os.remove(file)
                gone.append([os.path.relpath(file, root), "removed"])
    return rows(["name", "result"], gone)


async def put(match, sql, session, request):
    """Where to put a file: as fakesnow says (one presigned URL), or as the other clouds say."""
    answer = await fakesnow(sql, session, request)
    if not answer["success"]:
        return answer
    mode, data = state["stage"], answer["data"]
    url = data["stageInfo"]["presignedUrl"]
    path = url.split("/fs_bucket/", 1)[1]
    base, directory = f"{request.url.scheme}://{request.url.netloc}", os.path.dirname(path)
    if "encrypted" in mode:
        data["encryptionMaterial"] = material
    if mode.startswith("token"):
        state["token"] = "ya29." + secrets.token_hex(4)
        data["stageInfo"] = {"locationType": "GCS", "location": f"gcs_bucket/{directory}/", "creds": {"GCS_ACCESS_TOKEN": state["token"]}, "endPoint": f"{base}/token"}
    if mode.startswith("azure"):
        data["stageInfo"] = {"locationType": "AZURE", "location": f"container/{directory}/", "storageAccount": "acc", "endPoint": f"{base}/azure", "creds": {"AZURE_SAS_TOKEN": "?sig=good%2Fsig"}}
    if mode.startswith("s3"):
        s3 = state["s3"]
        data["stageInfo"] = {"locationType": "S3", "location": f"{s3['bucket']}/{directory}/", "region": s3["region"], "endPoint": s3["endpoint"],
                             "creds": {"AWS_KEY_ID": s3["key"], "AWS_SECRET_KEY": s3["secret"], "AWS_TOKEN": ""}}
    return answer


def decrypted(body, wrapped, iv, key):
    """Snowflake's client-side encryption the other way round."""
    def unpad(data):
        return data[: -data[-1]]
    unwrap = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
    file_key = unpad(unwrap.update(base64.b64decode(wrapped)) + unwrap.finalize())
    plain = Cipher(algorithms.AES(file_key), modes.CBC(base64.b64decode(iv))).decryptor()
    return unpad(plain.update(body) + plain.finalize())


def opened(body, headers, names):
    """A stored object as Snowflake reads it: decrypted where it was encrypted, its digest checked."""
    digest, encryption, description = (headers.get(n) for n in names)
    if encryption:
        data = json.loads(encryption)
        assert data["EncryptionMode"] == "FullBlob" and data["WrappedContentKey"]["Algorithm"] == "AES_CBC_256", data
        told = json.loads(description)
        assert told == {"queryId": material["queryId"], "smkId": str(material["smkId"]), "keySize": str(len(master_key()) * 8)}, told
        body = decrypted(body, data["WrappedContentKey"]["EncryptedKey"], data["ContentEncryptionIV"], master_key())
    assert base64.b64encode(hashlib.sha256(body).digest()).decode() == digest, "the digest is not of the plain file"
    return body


def master_key():
    return base64.b64decode(material["queryStageMasterKey"])


GOOGLE = ("x-goog-meta-sfc-digest", "x-goog-meta-encryptiondata", "x-goog-meta-matdesc")
AZURE = ("x-ms-meta-sfcdigest", "x-ms-meta-encryptiondata", "x-ms-meta-matdesc")


def keep(path, body):
    fake._write_bucket_file(path, body)
    state["uploads"].append(path)


async def upload(request):
    path, body = request.path_params["path"], await request.body()
    fault = take_fault("upload " + path)
    if fault and fault["when"] == "before":
        return await held(fault, request) or fault_answer(fault)
    if "encrypted" in state["stage"]:
        assert "x-goog-meta-encryptiondata" in request.headers
    keep(path, opened(body, request.headers, GOOGLE))
    if fault:
        return await held(fault, request) or fault_answer(fault)
    return Response()


async def upload_by_token(request):
    if request.headers.get("authorization") != f"Bearer {state.get('token')}":
        return Response(status_code=401)
    keep(request.path_params["path"], opened(await request.body(), request.headers, GOOGLE))
    return Response()


async def upload_azure(request):
    if request.query_params.get("sig") != "good/sig" or request.headers.get("x-ms-blob-type") != "BlockBlob":
        return Response(status_code=403)
    keep(request.path_params["path"], opened(await request.body(), request.headers, AZURE))
    return Response(status_code=201)


def fetch_from_s3(path):
    import boto3
    from botocore.config import Config
    s3 = state["s3"]
    client = boto3.client("s3", endpoint_url=s3["endpoint"], aws_access_key_id=s3["key"], aws_secret_access_key=s3["secret"], region_name=s3["region"], config=Config(s3={"addressing_style": "path"}))
    found = client.get_object(Bucket=s3["bucket"], Key=path)
    meta, body = found["Metadata"], found["Body"].read()
    if "x-amz-key" in meta:
        body = decrypted(body, meta["x-amz-key"], meta["x-amz-iv"], master_key())
    assert base64.b64encode(hashlib.sha256(body).digest()).decode() == meta["sfc-digest"]
    keep(path, body)


async def copy(match, sql, session, request):
    """COPY with FILES from an internal stage: fakesnow takes one file by its path, so it gets one statement a file."""
    stage, path, files = match[2], match[3].strip("/"), re.search(r"FILES\s*=\s*\(([^)]*)\)", sql, re.I)
    if not files:
        return None
    names = re.findall(r"'([^']*)'", files[1])
    root = directory_of(stage, session)
    if unquoted(stage).split(".")[-1] in state.get("external", []):
        return None
    if gcs := state.get("gcs"):
        # An external stage fakesnow cannot read: its files are fetched for it.
        for name in names:
            key = urllib.parse.quote(f"{gcs['prefix']}{path}/{name}", safe="")
            with urllib.request.urlopen(f"{gcs['endpoint']}/storage/v1/b/{gcs['bucket']}/o/{key}?alt=media") as found:
                keep(f"{os.path.relpath(root, fake_stage.LOCAL_BUCKET_PATH)}/{path}/{name}", found.read())
    plain = sql.replace(files[0], "")
    answer, values = None, []
    for name in names:
        relative = f"{os.path.relpath(root, fake_stage.LOCAL_BUCKET_PATH)}/{path}/{name}"
        if state["stage"].startswith("s3") and not os.path.exists(f"{root}/{path}/{name}"):
            await run_in_threadpool(fetch_from_s3, relative)
        answer = await fakesnow(plain.replace(f"@{stage}{match[3]}", f"@{stage}/{path}/{name}"), session, request)
        if not answer["success"]:
            return answer
        values += answer["data"]["rowset"]
    answer["data"]["rowset"] = values
    return answer


handlers = [
    (r"DESC(?:RIBE)? TABLE (\S+)$", describe_table),
    (r"SELECT CURRENT_ROLE\(\)", select_current),
    (r"SELECT COUNT\(\*\) AS RUNNING FROM TABLE\(INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER", running_copies),
    (r"(?:USE|DESCRIBE) (DATABASE|SCHEMA|WAREHOUSE) (\S+)$", use),
    (r"SHOW GRANTS ON TABLE (\S+)$", show_grants),
    (r"DESC(?:RIBE)? STAGE (\S+)$", describe_stage),
    (r"DROP (STAGE|PIPE) IF EXISTS (\S+)$", drop),
    (r"LIST @([^\s/]+)/?(\S*)$", list_stage),
    (r"REMOVE @([^\s/]+)/?(\S*)(?:\s+PATTERN='([^']*)')?$", remove),
    (r"PUT ", put),
    (r"COPY INTO (.*?) FROM @([^\s/]+)(/\S*)\)", copy),
]


# ---- steering


async def control(request):
    """POST /test/NAME with JSON. user: {name, password | key}; expire: {what: session | master}; fault: {match, status | code, times, when};
    slow: {times}; stage: {mode, s3?}; set: any state; GET /test/state: everything. A fault with `hold` gives no answer until the client is gone."""
    what, body = request.path_params["what"], json.loads(await request.body() or b"{}")
    with lock:
        if what == "user":
            users[body["name"].upper()] = body
        elif what == "expire":
            for session in sessions.values():
                session["ended"] = body["what"]
        elif what == "fault":
            state["faults"].append({"times": 1, "when": "before", **body})
        elif what == "set":
            state.update(body)
            if "masterKey" in body:
                material["queryStageMasterKey"] = body["masterKey"]
        elif what == "reset":
            state.update(stage="presigned", roles={}, statements=[], faults=[], slow=0, uploads=[], requests=[], hidden=[], external=[])
            for name in ("grants", "gcs", "s3", "copies", "held", "proxied", "submitted", "part", "forms"):
                state.pop(name, None)
    return JSONResponse({})


async def show(request):
    with lock:
        return JSONResponse(state)


async def health(request):
    return PlainTextResponse("ok")


async def oauth(request):
    form = dict(p.split("=", 1) for p in (await request.body()).decode().split("&"))
    client = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
    state.setdefault("forms", []).append(form)
    if client != "client:hush" or form.get("grant_type") == "refresh_token" and form.get("refresh_token") != "rt":
        return JSONResponse({"error": "invalid_client"}, status_code=400)
    token = "at-" + secrets.token_hex(6)
    state.setdefault("oauth", []).append(token)
    return JSONResponse({"access_token": token, "expires_in": 600, "token_type": "Bearer"})


routes = [
    Route("/session/v1/login-request", login, methods=["POST"]),
    Route("/session/token-request", renew, methods=["POST"]),
    Route("/session", end_session, methods=["POST"]),
    Route("/oauth/token-request", oauth, methods=["POST"]),
    Route("/queries/v1/query-request", query, methods=["POST"]),
    Route("/queries/{id}/result", result, methods=["GET"]),
    Route("/fs_bucket/{path:path}", upload, methods=["PUT"]),
    Route("/token/gcs_bucket/{path:path}", upload_by_token, methods=["PUT"]),
    Route("/azure/container/{path:path}", upload_azure, methods=["PUT"]),
    Route("/test/health", health),
    Route("/test/state", show),
    Route("/test/{what}", control, methods=["POST"]),
]
for module in ("snowflake_pipes", "snowflake_streaming", "snowflake_statements"):
    routes[:0] = importlib.import_module(module).routes(sys.modules[__name__])


def forwarding(app):
    """Also a proxy, of itself: what it is asked for by a whole URL it takes as asked for at that host, and remembers by whom."""

    async def serve(scope, receive, send):
        if scope["type"] == "http" and scope["path"].startswith("http://"):
            host, _, path = scope["path"].removeprefix("http://").partition("/")
            user = base64.b64decode(dict(scope["headers"]).get(b"proxy-authorization", b"").removeprefix(b"Basic ")).decode()
            state.setdefault("proxied", []).append(f"{user}@{host} {scope['method']}")
            scope = {**scope, "path": "/" + path, "raw_path": b"/" + scope["raw_path"].split(b"/", 3)[3]}
        await app(scope, receive, send)

    return serve


app = forwarding(Starlette(routes=routes))
