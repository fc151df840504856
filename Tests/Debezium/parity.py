"""Plays recorded Debezium scenarios against a worker and compares every record, byte by byte after masking what must differ.

parity.py SLUICE PGPORT RESTPORT [SCENARIO…]: the worker's REST port and a PostgreSQL whose superuser is postgres/postgres. Prints a line a scenario
and ends with 1 unless every record of every scenario is equal. With KAFKA (bootstrap servers) the records are read with kcat, as others read them. The recordings (golden/*.json.gz) are of Debezium 3.3.1 on Kafka Connect 4.1.
"""
import collections, glob, gzip, json, os, re, subprocess, sys, time, urllib.error, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
KAFKA = os.environ.get("KAFKA")
SLUICE, PG, REST = sys.argv[1], sys.argv[2], f"http://127.0.0.1:{sys.argv[3]}"
MASKS = [(re.compile(a), b) for a, b in [
    (r'"(ts_ms|ts_us|ts_ns|lsn|txId|__lsn|__ts_ms|__source_ts_ms)":\d+', r'"\1":0'), (r'"sequence":("\[.*?\]"|null)', '"sequence":"[]"'),
    (r'"(id|transaction_id)":"\d+(:\d+)?"', r'"\1":"T"'), (r'"c_default_now":"[^"]*"', '"c_default_now":"N"'),
    # Debezium 3.3.1 writes the address of a Java object for the collection of logical messages.
    (r'[A-Za-z.]+LogicalDecodingMessageMonitor\$LogicalDecodingMessageId@[0-9a-f]+', 'LOGICAL_DECODING_MESSAGE'),
    (r'"c_default_uuid":"[^"]*"', '"c_default_uuid":"U"'), (r'(WindowTimestamp\\": \\")[^"\\]*', r'\1N'), (r'"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-(open|close)"', r'"U-\2"')]]
# Comes as often as time passes: its first record is compared.
HEARTBEATS = "__debezium-heartbeat."
# What happens beside the recorded DML, as it did while recording.
AFTER = {
    "special-values": ["insert into golden.special values(10,'NaN','NaN','Infinity','-Infinity','infinity','-infinity','infinity')"],
    "incremental-snapshot": [
        "insert into golden.customers(id,first_name,email,mobile) select g,'Inc'||g,'inc'||g||'@x.com','m' from generate_series(2001,2005) g",
        """insert into golden.debezium_signal values('sig-1','execute-snapshot','{"data-collections": ["golden.customers"], "type": "incremental"}')"""],
}


def mask(text):
    for pattern, replacement in MASKS if text is not None else []:
        text = pattern.sub(replacement, text)
    return text


def psql(*arguments, database="golden"):
    # Scripts create what may exist and drop what may not: single statements may fail, as they did while recording.
    r = subprocess.run(["psql", "-h", "127.0.0.1", "-p", PG, "-U", "postgres", "-d", database, "-qAtX", *arguments], text=True, capture_output=True,
                       env=dict(os.environ, PGPASSWORD="postgres"))
    return r.stdout.strip()


def rest(method, path, body=None):
    request = urllib.request.Request(REST + path, method=method, data=json.dumps(body).encode() if body is not None else None,
                                     headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            data = response.read()
            return response.status, json.loads(data) if data else None
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def tap(topic):
    if KAFKA:
        r = subprocess.run(["kcat", "-C", "-b", KAFKA, "-t", topic, "-o", "beginning", "-e", "-q", "-J"], text=True, capture_output=True, timeout=60)
        if r.returncode:
            raise SystemExit(f"kcat {topic}: {r.stderr}")
        return [{"headers": [], **json.loads(line)} for line in r.stdout.split("\n") if line]
    r = subprocess.run([SLUICE, "tap", topic, "--from-beginning", "--max", "100000", "--url", REST], text=True, capture_output=True, timeout=60)
    if r.returncode:
        raise SystemExit(f"tap {topic}: {r.stderr}")
    return [json.loads(line) for line in r.stdout.split("\n") if line]


def wait(seconds, condition):
    deadline = time.time() + seconds
    while time.time() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.2)
    return condition()


def settle(count, records):
    """Until the snapshot's records have come and no more do."""
    seen, since = 0, time.time()
    while time.time() - since < (0.7 if seen else 30):
        now = count(records())
        if now != seen:
            seen, since = now, time.time()
        time.sleep(0.1)


def play(name, config, wanted):
    """Runs one scenario and returns its records by topic, once as many as recorded have come or nothing more does."""
    psql("-f", f"{HERE}/ddl.sql")
    psql("-f", f"{HERE}/{'seed_special.sql' if name.startswith('special') else 'seed.sql'}")
    status, answer = rest("POST", "/connectors", {"name": name, "config": {**config, "database.port": PG}})
    if status != 201:
        raise SystemExit(f"{name}: POST answered {status} {answer}")
    topics = lambda: sorted(rest("GET", f"/connectors/{name}/topics")[1][name]["topics"])
    records = lambda: {t: tap(t) for t in topics()}
    count = lambda r: sum(len(v) for t, v in r.items() if not t.startswith(HEARTBEATS))
    expected = sum(not r["topic"].startswith(HEARTBEATS) for r in wanted)
    slot = config["slot.name"]
    if name != "snapshot-initial-only":
        wait(60, lambda: psql("-c", f"select active from pg_replication_slots where slot_name = '{slot}'") == "t")
        settle(count, records)
        if not name.startswith("special"):
            psql("-f", f"{HERE}/dml.sql")
        for statement in AFTER.get(name, []):
            psql("-c", statement)
    got = None
    wait(20, lambda: count(records()) >= expected)
    time.sleep(0.5)  # anything more than recorded is a difference, too
    got = records()
    status, answer = rest("GET", f"/connectors/{name}/status")
    for part in [answer["connector"], *answer["tasks"]]:
        if part["state"] != "RUNNING":
            print(f"{name}: {part['state']} {part.get('trace', '')[:600]}")
    rest("PUT", f"/connectors/{name}/stop")
    offsets = wait(10, lambda: rest("GET", f"/connectors/{name}/offsets")[1])
    rest("DELETE", f"/connectors/{name}")
    wait(10, lambda: (psql("-c", f"select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '{slot}' and not active"),
                      psql("-c", f"select count(*) from pg_replication_slots where slot_name = '{slot}'"))[1] == "0")
    psql("-c", f"drop publication if exists {config['publication.name']}")
    return got, offsets


def shown(record):
    return {"key": mask(record["key"]), "payload": mask(record["payload"]), "headers": record["headers"]}


def compare(name, recorded, got):
    """Prints the first difference; returns how many records are equal, and of how many."""
    wanted = collections.defaultdict(list)
    for record in recorded:
        wanted[record["topic"]].append(record)
    equal = total = 0
    first = None
    for topic in sorted(set(wanted) | set(got)):
        want, have = wanted[topic], got.get(topic, [])
        if topic.startswith(HEARTBEATS):
            want, have = want[:1], have[:1]
        total += max(len(want), len(have))
        for i in range(max(len(want), len(have))):
            a, b = (shown(want[i]) if i < len(want) else None), (shown(have[i]) if i < len(have) else None)
            if a == b:
                equal += 1
            elif first is None:
                first = f"{topic}[{i}]"
                if a is None or b is None:
                    first += f": {'missing' if b is None else 'not recorded'}"
                else:
                    part = next(k for k in a if a[k] != b[k])
                    x, y = (json.dumps(v[part], ensure_ascii=False) if part == "headers" else v[part] or "null" for v in (a, b))
                    at = next((c for c in range(min(len(x), len(y))) if x[c] != y[c]), min(len(x), len(y)))
                    first += f" {part}: …{y[max(0, at - 60):at + 60]}… real …{x[max(0, at - 60):at + 60]}…"
    print(f"{name}: {equal}/{total}" + (f"  {first}" if first else ""), flush=True)
    return equal, total


if not psql("-c", "select 1 from pg_database where datname = 'golden'", database="postgres"):
    psql("-c", "create database golden", database="postgres")
names = sys.argv[4:] or [os.path.basename(f)[:-8] for f in sorted(glob.glob(f"{HERE}/golden/*.json.gz"))]
equal = total = 0
for name in names:
    recording = json.loads(gzip.open(f"{HERE}/golden/{name}.json.gz").read())
    got, offsets = play(name, recording["config"], recording["records"])
    e, t = compare(name, recording["records"], got)
    if "offsets" in recording:
        # Keys of ours stand beside Debezium's.
        keys = lambda o: [sorted(k for k in x["offset"] if not k.startswith("sluice_")) for x in o["offsets"]]
        if keys(offsets) != keys(recording["offsets"]):
            print(f"{name}: offsets {keys(offsets)} real {keys(recording['offsets'])}")
    equal, total = equal + e, total + t
print(f"Debezium records equal: {equal} of {total}")
sys.exit(0 if equal == total else 1)
