"""Snowpipe Streaming's REST interface over fakesnow, as documented: hostname, scoped token, channels with continuation and offset tokens.

Rows are in the table once they are committed: at the next question about the channel's status. Opening a channel drops what is not committed and
shuts out whoever held it; a continuation token is good for one request."""
import json, re, secrets

from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route


def routes(server):
    channels = server.state.setdefault("channels", {})
    tokens = set()

    async def hostname(request):
        if server.bearer(request) is None:
            return JSONResponse({"code": "390144", "message": "JWT token is invalid."}, status_code=401)
        return PlainTextResponse(request.url.netloc)

    async def token(request):
        form = (await request.body()).decode()
        if server.bearer(request) is None or "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" not in form or "scope=" not in form:
            return JSONResponse({"code": "390144", "message": "JWT token is invalid."}, status_code=401)
        tokens.add(fresh := "scoped-" + secrets.token_hex(6))
        return PlainTextResponse(fresh)

    def allowed(request):
        return request.headers.get("authorization", "").removeprefix("Bearer ") in tokens

    def refused(status, code, message):
        return JSONResponse({"code": code, "message": message}, status_code=status)

    def status_of(channel, name):
        return {"channel_status_code": "SUCCESS", "last_committed_offset_token": channel["committed"], "channel_name": name, "rows_inserted": channel["rows"],
                "rows_parsed": channel["rows"], "rows_error_count": channel["errors"], "last_error_message": channel.get("message"),
                "last_error_offset_upper_bound": channel.get("bound")}

    async def open_channel(request):
        if not allowed(request):
            return refused(401, "390303", "Invalid token")
        p = request.path_params
        name, table = p["channel"], p["pipe"].removesuffix("-STREAMING")
        channel = channels.setdefault(name, {"committed": None, "rows": 0, "errors": 0, "opened": 0})
        channel.update(table=f'"{p["database"]}"."{p["schema"]}"."{table}"', pending=[], continuation=secrets.token_hex(4), opened=channel["opened"] + 1)
        return JSONResponse({"next_continuation_token": channel["continuation"], "channel_status": status_of(channel, name)})

    async def append(request):
        if not allowed(request):
            return refused(401, "390303", "Invalid token")
        channel, q = channels.get(request.path_params["channel"]), request.query_params
        if fault := server.take_fault("rows"):
            if fault["when"] == "before":
                return server.fault_answer(fault)
        if channel is None or q["continuationToken"] != channel["continuation"]:
            return refused(400, "STALE_CONTINUATION_TOKEN_SEQUENCER", "Channel was reopened or the token was used")
        body = (await request.body()).decode()
        assert len(body) <= 4 << 20 and request.headers["content-type"] == "application/x-ndjson" and int(q["startOffsetToken"]) <= int(q["endOffsetToken"])
        channel["pending"].append((q["endOffsetToken"], [json.loads(line) for line in body.splitlines()]))
        channel["continuation"] = secrets.token_hex(4)
        if fault:
            return server.fault_answer(fault)
        return JSONResponse({"next_continuation_token": channel["continuation"]})

    def literal(column, value):
        if column in ("RECORD_CONTENT", "RECORD_METADATA", "DATA"):
            return "PARSE_JSON('" + json.dumps(value).replace("\\", "\\\\").replace("'", "''") + "')"
        if value is None or isinstance(value, (bool, int, float)):
            return json.dumps(value)
        if isinstance(value, str):
            text = "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
            return text + "::TIMESTAMP_NTZ" if re.match(r"\d{4}-\d\d-\d\dT[\d:.]+$", value) else text
        return "PARSE_JSON('" + json.dumps(value).replace("\\", "\\\\").replace("'", "''") + "')"

    async def bulk(request):
        if not allowed(request):
            return refused(401, "390303", "Invalid token")
        session, answer = next(iter(server.sessions.values())), {}
        for name in json.loads(await request.body())["channel_names"]:
            channel = channels[name]
            for end, rows in channel["pending"]:
                for row in rows:
                    columns = ", ".join(f'"{c}"' for c in row)
                    result = await server.fakesnow(f"INSERT INTO {channel['table']} ({columns}) SELECT {', '.join(literal(*member) for member in row.items())}", session, request)
                    if result["success"]:
                        channel["rows"] += 1
                    else:
                        channel.update(errors=channel["errors"] + 1, message="Numeric value 'secret' is not recognized", bound=end)
                channel["committed"] = end
            channel["pending"] = []
            answer[name] = status_of(channel, name)
        return JSONResponse({"channel_statuses": answer})

    base = "/v2/streaming/databases/{database}/schemas/{schema}/pipes/{pipe}"
    return [
        Route("/v2/streaming/hostname", hostname),
        Route("/oauth/token", token, methods=["POST"]),
        Route(base + "/channels/{channel}", open_channel, methods=["PUT"]),
        Route("/v2/streaming/databases/{database}/schemas/{schema}/pipes/{pipe}:bulk-channel-status", bulk, methods=["POST"]),
        Route("/v2/streaming/data/databases/{database}/schemas/{schema}/pipes/{pipe}/channels/{channel}/rows", append, methods=["POST"]),
    ]
