#!/usr/bin/env python3
"""register.py [--recreate] FILE [URL]: POST a connector's JSON, as scripts around Kafka Connect do.

201 (created) and 409 (it is there) are both fine; with --recreate what is there is deleted first, and the configuration is PUT. Then its status is awaited:
exit 0 when connector and tasks are RUNNING, 1 with the trace when one FAILED.
"""
import json
import sys
import time
import urllib.error
import urllib.request

arguments = [a for a in sys.argv[1:] if a != "--recreate"]
if not arguments:
    sys.exit(__doc__)
connector = json.load(open(arguments[0]))
url = (arguments[1] if len(arguments) > 1 else "http://localhost:8083") + "/connectors"
name = connector["name"]


def call(method, path, body=None):
    request = urllib.request.Request(url + path, method=method, data=body and json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def expect(statuses, method, path, body=None):
    status, answer = call(method, path, body)
    print(f"{method} /connectors{path} {status}", flush=True)
    if status not in statuses:
        sys.exit(answer.decode(errors="replace"))


if "--recreate" in sys.argv:
    expect({204, 404}, "DELETE", f"/{name}")
    expect({200, 201}, "PUT", f"/{name}/config", connector["config"])
else:
    expect({201, 409}, "POST", "", connector)
for _ in range(120):
    status, answer = call("GET", f"/{name}/status")
    if status == 200:
        answer = json.loads(answer)
        parts = [answer["connector"], *answer["tasks"]]
        for part in parts:
            if part["state"] == "FAILED":
                sys.exit(part.get("trace", "FAILED"))
        if answer["tasks"] and all(part["state"] == "RUNNING" for part in parts):
            print("RUNNING")
            sys.exit(0)
    time.sleep(0.5)
sys.exit(f"{name} is not RUNNING after a minute: GET {url}/{name}/status says what it waits for")
