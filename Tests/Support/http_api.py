"""The API that tests of the HTTP source poll: http_api.py PORT"""
import base64, http.server, json, sys, threading, urllib.parse

log, counts, lock = [], {}, threading.Lock()
ITEMS = [{"id": i, "name": f"item {i}", "at": f"2026-11-26T00:00:{i:02d}Z"} for i in range(1, 26)]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, **headers):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status != 304:
            self.wfile.write(data)

    def nth(self, name):
        with lock:
            counts[name] = counts.get(name, 0) + 1
            return counts[name]

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path != "/log":
            log.append(f"POST {self.path} {body}")
        if self.path == "/token":
            expected = "Basic " + base64.b64encode(b"client:s%2Fcret").decode()
            if self.headers.get("Authorization") != expected or "grant_type=client_credentials" not in body:
                return self.answer({"error": "invalid_client"}, 401)
            return self.answer({"access_token": f"token{self.nth('token')}", "expires_in": 3600, "token_type": "bearer"})
        self.answer([{"echo": body}])

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/log":
            return self.answer("\n".join(log))
        log.append(f"GET {self.path}")
        host = f"http://127.0.0.1:{self.server.server_port}"
        if url.path == "/v1/latest":
            if self.headers.get("apikey", query.get("apikey")) != "sesame":
                return self.answer({"message": "Invalid authentication credentials"}, 401)
            rates = {"EUR": 0.9215101, "DKK": 6.8, "NOK": 10, "SEK": 10.5}
            return self.answer({"data": {c: rates[c] for c in query["currencies"].split(",")}})
        if url.path == "/conditional":
            if self.headers.get("If-None-Match") == '"v1"':
                return self.answer("", 304, ETag='"v1"')
            return self.answer(ITEMS[:2], ETag='"v1"', Last_Modified="Thu, 26 Nov 2026 00:00:00 GMT")
        if url.path == "/link":
            page = int(query.get("page", 1))
            link = f'<{host}/link?page=1>; rel="first", <{host}/link?page={page + 1}>; rel="next"' if page < 3 else f'<{host}/link?page=1>; rel="first"'
            return self.answer(ITEMS[(page - 1) * 10:page * 10], Link=link)
        if url.path == "/page":
            page, size = int(query["page"]), int(query["per_page"])
            return self.answer({"items": ITEMS[(page - 1) * size:page * size]})
        if url.path == "/offset":
            start, size = int(query["start"]), int(query["limit"])
            return self.answer(ITEMS[start:start + size])
        if url.path == "/cursor":
            start = int(query.get("cursor", 0))
            return self.answer({"items": ITEMS[start:start + 10], "next": str(start + 10) if start + 10 < len(ITEMS) else None})
        if url.path == "/since":
            after = int(query.get("after") or 0)
            return self.answer([i for i in ITEMS if i["id"] >= after][:10])
        if url.path == "/flaky":
            n = self.nth("flaky")
            if n == 1:
                return self.answer("busy", 503)
            if n == 2:
                return self.answer("slow down", 429, Retry_After="1")
            return self.answer(ITEMS[:3])
        if url.path == "/private":
            # The first token is withdrawn at once.
            ok = self.headers.get("Authorization") in ("Bearer token2", "Bearer fixed", "Basic " + base64.b64encode("u:p ä".encode()).decode())
            return self.answer(ITEMS[:1]) if ok else self.answer({"error": "no"}, 401)
        if url.path == "/away":
            return self.answer("", 302, Location=f"http://localhost:{self.server.server_port}/headers")
        if url.path == "/headers":
            return self.answer([{"apikey": self.headers.get("apikey"), "kind": "headers"}])
        if url.path == "/csv":
            return self.answer("code,rate,zip\nEUR,1.5,007\nDKK,2,010\n")
        if url.path == "/lines":
            return self.answer('{"id":1}\n\n{"id":2,"x":"y"}\n')
        if url.path == "/html":
            return self.answer("<html>maintenance secret-row</html>")
        self.answer({"error": "not found"}, 404)


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
