"""Snowpipe's REST interface over fakesnow, as documented: insertFiles, insertReport, loadHistoryScan; and CREATE PIPE.

A pipe loads files of JSON lines a moment after they were named to it, each once, from the stage its definition names."""
import gzip, json, os, re, time

from starlette.responses import JSONResponse
from starlette.routing import Route


def routes(server):
    pipes = server.state.setdefault("pipes", {})

    async def create(match, sql, session, request):
        name = server.unquoted(match[1])
        if name not in pipes:
            found = re.search(r'COPY INTO (\S+) \(([^)]*)\) FROM \(SELECT (.*?) FROM @(\S+) t\) FILE_FORMAT = \(TYPE = \'JSON\'\)$', sql, re.S)
            assert found, sql
            members = re.findall(r"\$1:(\w+)", found[3])
            pipes[name] = {"table": found[1], "columns": found[2].split(", "), "members": members, "stage": found[4], "files": {}, "named": []}
        return server.rows(["status"], [["Pipe successfully created."]])

    server.handlers.insert(0, (r'CREATE PIPE IF NOT EXISTS (\S+) AS ', create))

    def pipe_of(request):
        if server.bearer(request) is None:
            return None, JSONResponse({"code": "390144", "message": "JWT token is invalid."}, status_code=401)
        pipe = pipes.get(server.unquoted(request.path_params["pipe"]))
        if pipe is None:
            return None, JSONResponse({"code": "390404", "message": "Specified object does not exist or not authorized."}, status_code=404)
        return pipe, None

    async def load(pipe, path, request):
        """Loads one file; the report's entry."""
        full = f"{server.directory_of(pipe['stage'], None)}/{path}"
        session = next(iter(server.sessions.values()))
        entry = {"path": path, "stageLocation": "stages/x/", "fileSize": 0, "timeReceived": now(), "lastInsertTime": now(), "rowsInserted": 0, "rowsParsed": 0, "errorsSeen": 0, "errorLimit": 1, "complete": True}
        try:
            lines = [json.loads(line) for line in gzip.open(full)]
        except OSError:
            return {**entry, "status": "LOAD_FAILED", "firstError": "Remote file was not found"}
        if server.take_fault("pipe " + path):
            return {**entry, "status": "LOAD_FAILED", "errorsSeen": 1, "firstError": "Numeric value 'secret value' is not recognized"}
        entry["fileSize"] = os.path.getsize(full)
        for line in lines:
            values = ", ".join(literal(line.get(m)) for m in pipe["members"])
            answer = await server.fakesnow(f"INSERT INTO {pipe['table']} ({', '.join(pipe['columns'])}) SELECT {values}", session, request)
            assert answer["success"], answer
        return {**entry, "status": "LOADED", "rowsInserted": len(lines), "rowsParsed": len(lines)}

    def literal(value):
        if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
            return f"'{value}'::TIMESTAMP_NTZ"
        text = json.dumps(value).replace("\\", "\\\\").replace("'", "''")
        return f"PARSE_JSON('{text}')"

    def now():
        return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())

    async def insert(request):
        pipe, refused = pipe_of(request)
        if refused:
            return refused
        fault = server.take_fault("insertFiles")
        if fault and fault["when"] == "before":
            return await server.held(fault, request) or server.fault_answer(fault)
        for file in json.loads(await request.body())["files"]:
            assert isinstance(file["size"], int)
            pipe["named"].append(file["path"])
            if file["path"] not in pipe["files"]:
                pipe["files"][file["path"]] = {"path": file["path"], "status": "LOAD_IN_PROGRESS", "complete": False}
        if fault:
            return await server.held(fault, request) or server.fault_answer(fault)
        return JSONResponse({"requestId": request.query_params["requestId"], "responseCode": "SUCCESS", "status": "success"})

    async def report(request):
        pipe, refused = pipe_of(request)
        if refused:
            return refused
        # A report answers with what was loaded before; what is new is loaded now and told of the next time.
        told = [f for f in pipe["files"].values() if f["complete"] and not f.get("silent")]
        for path, file in list(pipe["files"].items()):
            if not file["complete"]:
                pipe["files"][path] = await load(pipe, path, request)
        if fault := server.take_fault("insertReport"):
            return await server.held(fault, request) or server.fault_answer(fault)
        return JSONResponse({"pipe": request.path_params["pipe"], "completeResult": True, "nextBeginMark": f"1_{len(told)}", "files": told, "statistics": {"activeFilesCount": 0}})

    async def history(request):
        pipe, refused = pipe_of(request)
        if refused:
            return refused
        assert request.query_params["startTimeInclusive"].endswith("Z")
        return JSONResponse({"pipe": request.path_params["pipe"], "completeResult": True, "files": [f for f in pipe["files"].values() if f["complete"]]})

    return [
        Route("/v1/data/pipes/{pipe}/insertFiles", insert, methods=["POST"]),
        Route("/v1/data/pipes/{pipe}/insertReport", report),
        Route("/v1/data/pipes/{pipe}/loadHistoryScan", history),
    ]
