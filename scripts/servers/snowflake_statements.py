"""Snowflake's SQL API over fakesnow, as documented: statements by key-pair or OAuth tokens, 202 while they run, results in parts, requestId with retry.

USE and PUT are refused as the service refuses them. Results are cut every state["part"] rows; parts after the first are gzipped."""
import gzip, json, secrets

from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def routes(server):
    done, by_request, contexts = {}, {}, {}

    class Login:
        def __init__(self, database, schema):
            self.headers, self.query_params = {}, {"databaseName": database, "schemaName": schema}

        async def body(self):
            return json.dumps({"data": {"SESSION_PARAMETERS": {}}}).encode()

    async def context(body):
        place = (body.get("database"), body.get("schema"))
        if place not in contexts:
            contexts[place] = json.loads((await server.fake.login_request(Login(*place))).body)["data"]["token"]
        return {"fake": contexts[place], "role": body.get("role", "PUBLIC"), "warehouse": body.get("warehouse")}

    def refused(status, code, message):
        return JSONResponse({"code": code, "message": message, "sqlState": "08001"}, status_code=status)

    def at_the_door(request):
        if not request.headers.get("user-agent"):
            return refused(400, "391903", "The User-Agent header is missing")
        if server.bearer(request) is None:
            return refused(401, "390144", "JWT token is invalid.")

    def status(handle, code, message):
        return {"code": code, "message": message, "sqlState": "00000", "statementHandle": handle, "statementStatusUrl": f"/api/v2/statements/{handle}"}

    def told(handle):
        answer = done[handle]
        if not answer["success"]:
            return JSONResponse({**status(handle, answer["code"], answer["message"]), "sqlState": answer["data"]["sqlState"]}, status_code=422)
        rows, part = answer["data"].get("rowset", []), server.state.get("part", 1000)
        parts = [rows[i : i + part] for i in range(0, len(rows), part)] or [[]]
        meta = {"numRows": len(rows), "format": "jsonv2", "rowType": answer["data"].get("rowtype", []), "partitionInfo": [{"rowCount": len(p)} for p in parts]}
        return JSONResponse({**status(handle, "090001", "Statement executed successfully."), "createdOn": 0, "resultSetMetaData": meta, "data": parts[0]})

    async def submit(request):
        body = json.loads(await request.body())
        if refusal := at_the_door(request):
            return refusal
        sql, identity = body["statement"], request.query_params["requestId"]
        server.state.setdefault("submitted", []).append({"id": identity, "sql": sql, "retry": request.query_params.get("retry"), "tag": body["parameters"]["QUERY_TAG"]})
        if sql.split()[0].upper() in ("USE", "PUT", "GET"):
            return refused(422, "391911", "Unsupported statement type.")
        fault = server.take_fault(sql)
        if fault and fault["when"] == "before":
            if "code" in fault:
                return refused(422, fault["code"], fault.get("message", ""))
            return await server.held(fault, request) or server.fault_answer(fault)
        handle = by_request.get(identity) if request.query_params.get("retry") == "true" else None
        if handle is None:
            handle = by_request[identity] = "01b-" + secrets.token_hex(8)
            done[handle] = await server.run(sql, await context(body), request)
        if fault:
            return await server.held(fault, request) or server.fault_answer(fault)
        if server.state["slow"] > 0:
            server.state["slow"] -= 1
            return JSONResponse(status(handle, "333334", "Asynchronous execution in progress."), status_code=202)
        return told(handle)

    async def ask(request):
        if refusal := at_the_door(request):
            return refusal
        handle = request.path_params["handle"]
        if server.state["slow"] > 0:
            server.state["slow"] -= 1
            return JSONResponse(status(handle, "333334", "Asynchronous execution in progress."), status_code=202)
        number = int(request.query_params.get("partition", 0))
        if number == 0:
            return told(handle)
        part = server.state.get("part", 1000)
        rows = done[handle]["data"]["rowset"][number * part : (number + 1) * part]
        return Response(gzip.compress(json.dumps({"data": rows}).encode()), media_type="application/json", headers={"content-encoding": "gzip"})

    return [Route("/api/v2/statements", submit, methods=["POST"]), Route("/api/v2/statements/{handle}", ask)]
