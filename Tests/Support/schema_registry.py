"""A schema registry small enough to read: the documented exchange for Avro schemas, by Python's http.server.

Ids grow over all subjects; the same schema (as JSON) has the same id. Of compatibility it knows one rule, BACKWARD's: a field that the last
version of a subject does not have needs a default. `REQUIRE` (an Authorization header) and `FAIL` (so many 503 first) are variables of the
environment, as are CERT and KEY for TLS. GET /log answers with the request lines so far.
"""
import json, os, ssl, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

schemas, subjects, levels, log = [], {}, {}, []
fail, require = int(os.environ.get("FAIL", "0")), os.environ.get("REQUIRE")


class Refused(Exception):
    pass


def fields(schema):
    return {f["name"]: "default" in f for f in schema.get("fields", [])} if isinstance(schema, dict) else {}


def parsed(body):
    try:
        return json.loads(body["schema"])
    except Exception:
        raise Refused(422, 42201, "Invalid schema")


def versions(subject):
    if subject not in subjects:
        raise Refused(404, 40401, f"Subject '{subject}' not found.")
    return subjects[subject]


def entry(subject, number):
    all = versions(subject)
    if number < 1 or number > len(all):
        raise Refused(404, 40402, f"Version {number} not found.")
    body = schemas[all[number - 1] - 1]
    return {"subject": subject, "version": number, "id": all[number - 1], **body}


def find(subject, body):
    wanted = parsed(body)
    for number, id in enumerate(versions(subject), 1):
        if json.loads(schemas[id - 1]["schema"]) == wanted:
            return entry(subject, number)
    raise Refused(404, 40403, "Schema not found")


def register(subject, body):
    new, all = parsed(body), subjects.get(subject, [])
    if all and levels.get(subject) == "BACKWARD":
        old = fields(json.loads(schemas[all[-1] - 1]["schema"]))
        for name, has_default in fields(new).items():
            if name not in old and not has_default:
                raise Refused(409, 409, f"Schema being registered is incompatible with an earlier schema: field {name} has no default")
    for id, known in enumerate(schemas, 1):
        if json.loads(known["schema"]) == new and known.get("references") == body.get("references"):
            break
    else:
        schemas.append({k: body[k] for k in ("schema", "references", "schemaType") if k in body})
        id = len(schemas)
    if id not in all:
        subjects.setdefault(subject, []).append(id)
    return {"id": id}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, value):
        out = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def handle_any(self):
        global fail
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = [unquote(p) for p in urlsplit(self.path).path.strip("/").split("/")]
        if path == ["log"]:
            return self.answer(200, log)
        log.append(f"{self.command} {self.path}")
        try:
            if fail > 0:
                fail -= 1
                raise Refused(503, 50301, "away")
            if require and self.headers.get("Authorization") != require:
                raise Refused(401, 40101, "Unauthorized")
            self.answer(200, self.ask(path, json.loads(body) if body else None))
        except Refused as refused:
            status, code, message = refused.args
            self.answer(status, {"error_code": code, "message": message})

    do_GET = do_POST = do_PUT = handle_any

    def ask(self, path, body):
        match self.command, path:
            case "POST", ["subjects", subject, "versions"]:
                return register(subject, body)
            case "POST", ["subjects", subject]:
                return find(subject, body)
            case "GET", ["subjects", subject, "versions", version]:
                return entry(subject, len(versions(subject)) if version == "latest" else int(version))
            case "GET", ["schemas", "ids", id]:
                if int(id) < 1 or int(id) > len(schemas):
                    raise Refused(404, 40403, f"Schema {id} not found")
                return schemas[int(id) - 1]
            case "PUT", ["config", subject]:
                levels[subject] = body["compatibility"]
                return body
        raise Refused(404, 404, "HTTP 404 Not Found")


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
if "CERT" in os.environ:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["CERT"], os.environ["KEY"])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
