"""A Google Cloud Storage for tests of what gcp-storage-emulator lacks: tokens that are verified, preconditions, permissions, broken and lost
resumable sessions. One process, in memory.

    gcs_stub.py PORT [--public-key PEM] [--account EMAIL]

Follows Google's documented exchanges; Google's own Python client runs against it in the tests.

  POST /token                       RFC 7523 assertions (RS256 verified), refresh tokens, RFC 8693 exchanges -> an access token
  GET  /computeMetadata/v1/...      the metadata server's token; Metadata-Flavor: Google both ways
  POST /iam/...:generateAccessToken a token of an impersonated account
  /storage/v1, /upload/storage/v1   objects: insert (multipart, resumable), get, list, delete, compose; ifGenerationMatch, crc32c
  POST /control/set                 {"token_seconds": 2, "anonymous": true, "deny": ["storage.objects.create"], "faults": [FAULT, ...]}
                                    FAULT = {"on": "chunk|put|begin|get|list|token|compose", "do": "503|429|410|drop|drop-after", "after": BYTES, "times": N}
                                      drop: the connection ends after BYTES of the body, which are kept up to whole quanta in a session
                                      drop-after: all was done, the answer is lost
  GET  /control/log                 what was asked: [{"method", "path", "status", "authorization", "range"}, ...]
  POST /control/expire              all tokens end now
"""
import argparse, base64, json, re, secrets, socket, threading, time, urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import google_crc32c
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_public_key

QUANTUM = 256 * 1024
arguments = argparse.ArgumentParser()
arguments.add_argument("port", type=int)
arguments.add_argument("--public-key")
arguments.add_argument("--account", default="writer@demo.iam.gserviceaccount.com")
arguments = arguments.parse_args()

lock = threading.RLock()
settings = {"token_seconds": 3600, "anonymous": False, "deny": [], "faults": []}
tokens, buckets, sessions, log, generation = {}, {"lake": {}}, {}, [], [1000]


class Refusal(Exception):
    def __init__(self, status, reason, message):
        self.status, self.reason, self.message = status, reason, message


class Drop(Exception):
    pass


def crc32c(data):
    return base64.b64encode(google_crc32c.Checksum(data).digest()).decode()


def fault(on):
    """The fault that is due for this kind of request."""
    with lock:
        for f in settings["faults"]:
            if f["on"] == on and f.get("times", 1) > 0:
                f["times"] = f.get("times", 1) - 1
                return f
    return None


def new_token():
    token = "ya29." + secrets.token_hex(8)
    tokens[token] = time.time() + settings["token_seconds"]
    return {"access_token": token, "expires_in": int(settings["token_seconds"]), "token_type": "Bearer"}


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    # -- Bodies and answers

    def answer(self, status, document=None, headers=(), raw=None):
        body = raw if raw is not None else (json.dumps(document).encode() if document is not None else b"")
        self.note["status"] = status
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if raw is None and document is not None:
            self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, reason, message):
        self.answer(status, {"error": {"code": status, "message": message, "errors": [{"message": message, "domain": "global", "reason": reason}]}})

    def cut(self):
        """Ends the connection without an answer, as a network does."""
        self.note["status"] = 0
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def length(self):
        return int(self.headers.get("Content-Length") or 0)

    # -- Routing

    def route(self):
        self.taken = 0
        url = urllib.parse.urlsplit(self.path)
        self.query = {k: v[0] for k, v in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        self.note = {
            "method": self.command, "path": self.path, "status": None, "authorization": (self.headers.get("Authorization") or "")[:12],
            "range": self.headers.get("Content-Range"), "agent": self.headers.get("User-Agent"),
        }
        if not url.path.startswith("/control/"):
            with lock:
                log.append(self.note)
        try:
            self.dispatch(url.path)
        except Refusal as r:
            self.rfile.read(max(0, self.length() - self.taken))
            self.refuse(r.status, r.reason, r.message)
        except Drop:
            self.cut()

    do_GET = do_POST = do_PUT = do_DELETE = route

    def body(self):
        data = self.rfile.read(self.length())
        self.taken = len(data)
        return data

    def dispatch(self, path):
        if path == "/control/ready":
            return self.answer(200, {})
        if path == "/control/log":
            with lock:
                return self.answer(200, list(log))
        if path == "/control/set":
            with lock:
                settings.update(json.loads(self.body()))
            return self.answer(200, {})
        if path == "/control/expire":
            self.body()
            with lock:
                tokens.clear()
            return self.answer(200, {})
        if path == "/token":
            return self.token()
        if path == "/computeMetadata/v1/instance/service-accounts/default/token":
            if self.headers.get("Metadata-Flavor") != "Google":
                return self.answer(403)
            with lock:
                return self.answer(200, new_token(), headers=[("Metadata-Flavor", "Google")])
        if path.startswith("/iam/") and path.endswith(":generateAccessToken"):
            self.authorize()
            asked = json.loads(self.body())
            assert asked["scope"] and asked["lifetime"]
            with lock:
                made = new_token()
            expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + made["expires_in"]))
            return self.answer(200, {"accessToken": made["access_token"], "expireTime": expires})
        if path.startswith("/session/"):
            return self.session(path.rsplit("/", 1)[1])
        m = re.fullmatch(r"/upload/storage/v1/b/([^/]+)/o", path)
        if m and self.command == "POST":
            return self.insert(urllib.parse.unquote(m[1]))
        m = re.fullmatch(r"/storage/v1/b/([^/]+)/o/([^/]+)/compose", path)
        if m and self.command == "POST":
            return self.compose(urllib.parse.unquote(m[1]), urllib.parse.unquote(m[2]))
        m = re.fullmatch(r"/(?:download/)?storage/v1/b/([^/]+)/o(?:/([^/]+))?", path)
        if m:
            return self.objects(urllib.parse.unquote(m[1]), m[2] and urllib.parse.unquote(m[2]), path.startswith("/download/"))
        raise Refusal(404, "notFound", "Not Found")

    # -- Tokens

    def token(self):
        form = {k: v[0] for k, v in urllib.parse.parse_qs(self.body().decode()).items()}
        f = fault("token")
        if f:
            return self.answer(int(f["do"]), {"error": "temporarily_unavailable"})

        def deny(description, code="invalid_grant"):
            self.answer(400, {"error": code, "error_description": description})

        kind = form.get("grant_type")
        if kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            head, claims, signature = form["assertion"].split(".")
            if "=" in form["assertion"] or json.loads(decoded(head))["alg"] != "RS256":
                return deny("Invalid JWT")
            try:
                with open(arguments.public_key, "rb") as key:
                    load_pem_public_key(key.read()).verify(decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
            except InvalidSignature:
                return deny("Invalid JWT Signature.")
            claims = json.loads(decoded(claims))
            if claims["iss"] != arguments.account:
                return deny("Invalid grant: account not found")
            if not claims["aud"].endswith("/token") or "devstorage.read_write" not in claims["scope"]:
                return deny("Invalid JWT: Failed audience check.")
            if not (claims["iat"] - 60 <= time.time() < claims["exp"] <= claims["iat"] + 3600):
                return deny("Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim.")
        elif kind == "refresh_token":
            if (form.get("client_id"), form.get("client_secret"), form.get("refresh_token")) != ("client", "client-secret", "refresh"):
                return deny("Token has been expired or revoked.")
        elif kind == "urn:ietf:params:oauth:grant-type:token-exchange":
            if form.get("subject_token") != "outside-token" or not form["audience"].startswith("//iam.googleapis.com/"):
                return deny("The given credential is rejected by the attribute condition.", "unauthorized_client")
        else:
            return deny("Invalid grant_type", "unsupported_grant_type")
        with lock:
            self.answer(200, new_token())

    def authorize(self, permission=None):
        if settings["anonymous"] is False:
            header = self.headers.get("Authorization") or ""
            if tokens.get(header.removeprefix("Bearer "), 0) <= time.time():
                raise Refusal(401, "authError" if header else "required", "Invalid Credentials" if header else "Login Required")
        if permission in settings["deny"]:
            raise Refusal(403, "forbidden", f"{arguments.account} does not have {permission} access to the Google Cloud Storage object.")

    def inject(self, on):
        f = fault(on)
        if not f:
            return None
        if f["do"].isdigit():
            raise Refusal(int(f["do"]), "backendError", "Backend Error")
        if f["do"] == "drop":
            self.rfile.read(min(f.get("after", 0), self.length()))
            raise Drop()
        return f

    # -- Objects

    def bucket(self, name):
        if name not in buckets:
            raise Refusal(404, "notFound", "The specified bucket does not exist.")
        return buckets[name]

    def check(self, bucket, name):
        match = self.query.get("ifGenerationMatch")
        self.hold(bucket, name, match)

    def hold(self, bucket, name, match):
        current = self.bucket(bucket).get(name, {}).get("generation", "0")
        if match is not None and match != current:
            raise Refusal(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")

    def store(self, bucket, resource, data):
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        if resource.get("crc32c") not in (None, crc32c(data)):
            raise Refusal(400, "invalid", f'Provided CRC32C "{resource["crc32c"]}" doesn\'t match calculated CRC32C "{crc32c(data)}".')
        generation[0] += 1
        made = {k: resource[k] for k in ("name", "contentType", "contentEncoding", "metadata") if k in resource}
        made.update(kind="storage#object", bucket=bucket, generation=str(generation[0]), size=str(len(data)), crc32c=crc32c(data),
                    timeCreated=now, updated=now)
        buckets[bucket][resource["name"]] = {"resource": made, "data": data, "generation": made["generation"]}
        return made

    def insert(self, bucket):
        kind = self.query.get("uploadType")
        self.bucket(bucket)
        self.authorize("storage.objects.create")
        if kind == "multipart":
            f = self.inject("put")
            boundary = re.search(r'boundary="?([^";]+)"?', self.headers["Content-Type"])[1].encode()
            parts = self.body().split(b"--" + boundary)
            meta, media = parts[1], (b"--" + boundary).join(parts[2:-1])
            resource = json.loads(meta.split(b"\r\n\r\n", 1)[1])
            data = media.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
            with lock:
                self.check(bucket, resource.get("name") or self.query["name"])
                made = self.store(bucket, resource, data)
            if f:
                raise Drop()
            return self.answer(200, made)
        if kind == "resumable":
            self.inject("begin")
            resource = json.loads(self.body() or b"{}")
            resource.setdefault("name", self.query.get("name"))
            resource.setdefault("contentType", self.headers.get("X-Upload-Content-Type") or "application/octet-stream")
            with lock:
                self.check(bucket, resource["name"])
                id = secrets.token_hex(8)
                sessions[id] = {"bucket": bucket, "resource": resource, "match": self.query.get("ifGenerationMatch"), "data": bytearray(), "done": None}
            return self.answer(200, {}, headers=[("Location", f"http://{self.headers['Host']}/session/{id}")])
        raise Refusal(400, "invalid", "Unknown uploadType")

    def compose(self, bucket, name):
        self.bucket(bucket)
        asked = json.loads(self.body())
        self.authorize("storage.objects.create")
        self.authorize("storage.objects.get")
        f = self.inject("compose")
        with lock:
            self.check(bucket, name)
            if name in buckets[bucket]:
                self.authorize("storage.objects.delete")
            parts = []
            for source in asked["sourceObjects"]:
                found = buckets[bucket].get(source["name"])
                if not found or source.get("generation") not in (None, found["generation"]):
                    raise Refusal(404, "notFound", f"Object {source['name']} does not exist.")
                parts.append(found["data"])
            made = self.store(bucket, {**asked.get("destination", {}), "name": name}, b"".join(parts))
            made["componentCount"] = len(parts)
        if f:
            raise Drop()
        return self.answer(200, made)

    def session(self, id):
        with lock:
            s = sessions.get(id)
            if s is None:
                raise Refusal(410, "gone", "Gone")
            if self.command == "DELETE":
                del sessions[id]
                return self.answer(499)
        m = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", self.headers.get("Content-Range") or "")
        if not m:
            raise Refusal(400, "badRequest", "Content-Range")
        if m[1] is None and m[3] == "*":
            return self.progress(s)
        f = fault("chunk")
        if f and f["do"] == "410":
            with lock:
                del sessions[id]
            raise Refusal(410, "gone", "Gone")
        if f and f["do"].isdigit():
            raise Refusal(int(f["do"]), "backendError", "Backend Error")
        start = int(m[1]) if m[1] else len(s["data"])
        cut = f is not None and f["do"] == "drop"
        body = self.rfile.read(min(f["after"], self.length())) if cut else self.body()
        with lock:
            if start > len(s["data"]):
                raise Refusal(400, "invalid", "Invalid request. There are missing bytes.")
            # Bytes that are there already are ignored.
            fresh = body[len(s["data"]) - start:] if start + len(body) > len(s["data"]) else b""
            last = m[3] != "*" and not cut
            if not last:
                whole = (len(s["data"]) + len(fresh)) // QUANTUM * QUANTUM
                fresh = fresh[: max(0, whole - len(s["data"]))]
            if not last and not cut and m[1] and (int(m[2]) - start + 1) % QUANTUM:
                raise Refusal(400, "badRequest", "Chunks must be multiples of 256 KiB")
            s["data"] += fresh
            if cut:
                raise Drop()
            if last and len(s["data"]) == int(m[3]):
                self.hold(s["bucket"], s["resource"]["name"], s["match"])
                s["done"] = self.store(s["bucket"], s["resource"], bytes(s["data"]))
            if f and f["do"] == "drop-after":
                raise Drop()
        return self.progress(s)

    def progress(self, s):
        if s["done"]:
            return self.answer(200, s["done"])
        held = len(s["data"])
        self.answer(308, headers=[("Range", f"bytes=0-{held - 1}")] if held else [])

    def objects(self, bucket, name, download):
        self.bucket(bucket)
        if name is None:
            self.authorize("storage.objects.list")
            self.inject("list")
            names = sorted(n for n in buckets[bucket] if n.startswith(self.query.get("prefix", "")) and n > self.query.get("pageToken", ""))
            size = int(self.query.get("maxResults", 1000))
            page = {"kind": "storage#objects", "items": [buckets[bucket][n]["resource"] for n in names[:size]]}
            if len(names) > size:
                page["nextPageToken"] = names[size - 1]
            return self.answer(200, page)
        self.authorize("storage.objects.delete" if self.command == "DELETE" else "storage.objects.get")
        self.inject("get")
        found = buckets[bucket].get(name)
        if not found:
            raise Refusal(404, "notFound", f"No such object: {bucket}/{name}")
        if self.command == "DELETE":
            with lock:
                buckets[bucket].pop(name, None)
            return self.answer(204)
        if self.query.get("alt") == "media" or download:
            m = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
            data = found["data"]
            if not m:
                return self.answer(200, raw=data)
            if int(m[1]) >= len(data):
                raise Refusal(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
            end = min(int(m[2] or len(data) - 1), len(data) - 1)
            return self.answer(206, raw=data[int(m[1]): end + 1], headers=[("Content-Range", f"bytes {m[1]}-{end}/{len(data)}")])
        return self.answer(200, found["resource"])


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass  # connections that were cut on purpose


Server(("127.0.0.1", arguments.port), Handler).serve_forever()
