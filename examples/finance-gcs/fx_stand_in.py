"""Answers as FreeCurrencyAPI does, for runs without a key: fx_stand_in.py PORT"""
import http.server, json, random, sys, urllib.parse

RATES = {"EUR": 0.92, "DKK": 6.87, "NOK": 10.6, "SEK": 10.4}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query).get("currencies", [",".join(RATES)])[0].split(",")
        ok = self.headers.get("apikey") == "stand-in"
        body = json.dumps({"data": {c: round(RATES[c] * random.uniform(.99, 1.01), 6) for c in asked}} if ok else {"message": "Invalid authentication credentials"}).encode()
        self.send_response(200 if ok else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
