"""Measures Sluice against the limits of the machine it runs on, in one run, and writes docs/benchmarks.md.

Every rate is checked against the destination: rows counted in the Parquet files. The peer or physical limit runs right beside it, turn by turn.
"""
import glob, json, os, platform, re, shutil, signal, statistics, subprocess, sys, tempfile, threading, time, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SLUICE = os.environ.get("SLUICE_BINARY", f"{ROOT}/.build/release/sluice")
ROWS = int(os.environ.get("ROWS", 1_000_000))
RUNS = int(os.environ.get("RUNS", 5))
BIG = int(os.environ.get("BIG_TRANSACTION", 5_000_000))
ONLY = set(sys.argv[1:])
PG_BIN = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]


class Postgres:
    """A private server below /tmp; durable settings as shipped."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="sluice-bench-pg-", dir="/tmp")
        os.rmdir(self.directory)
        self.port = free_port()

    def __enter__(self):
        self.script("start", str(self.port), "max_wal_size=8GB", "shared_buffers=512MB")
        return self

    def __exit__(self, *_):
        self.script("stop")
        shutil.rmtree(self.directory, ignore_errors=True)

    def script(self, verb, *arguments):
        subprocess.run([f"{ROOT}/scripts/servers/postgres.sh", verb, self.directory, *arguments], check=True)

    def environment(self):
        return dict(os.environ, PGHOST="127.0.0.1", PGPORT=str(self.port), PGUSER="postgres", PGPASSWORD="postgres", PGDATABASE="postgres")

    def sql(self, text):
        r = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1"], input=text, text=True, capture_output=True, env=self.environment())
        if r.returncode:
            raise SystemExit(f"psql: {r.stderr}")
        return r.stdout.strip()


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Sluice:
    """One worker with its own data directory and lake."""

    def __init__(self, connectors, environment={}):
        self.environment = environment
        self.directory = tempfile.mkdtemp(prefix="sluice-bench-", dir=os.environ.get("BENCH_DIR", "/tmp"))
        self.port = free_port()
        os.makedirs(f"{self.directory}/connectors.d")
        for name, config in connectors.items():
            config = {k: v.replace("$DIR", self.directory) for k, v in config.items()}
            json.dump({"name": name, "config": config}, open(f"{self.directory}/connectors.d/{name}.json", "w"))

    def start(self):
        self.began = time.time()
        self.log = open(f"{self.directory}/log", "a")
        self.process = subprocess.Popen(
            [SLUICE, "run", "--data-dir", f"{self.directory}/data", "--listen", f"127.0.0.1:{self.port}", "--connectors-dir", f"{self.directory}/connectors.d"],
            stdout=self.log, stderr=self.log, env=dict(os.environ, **self.environment))
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as r:
            return json.loads(r.read())

    def answers(self):
        """Milliseconds from exec to the first answer of REST."""
        while True:
            try:
                self.get("/connectors")
                return 1000 * (time.time() - self.began)
            except OSError:
                time.sleep(0.002)

    def status(self, field):
        m = re.search(rf"^{field}:\s+(\d+) kB", open(f"/proc/{self.process.pid}/status").read(), re.M)
        return int(m.group(1)) / 1024

    def cpu(self):
        f = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")

    def lake_rows(self):
        """Rows of finished files, read from their footers by name: what a reader of the lake would count."""
        import pyarrow.parquet as pq
        self.counted = getattr(self, "counted", {})
        for f in glob.glob(f"{self.directory}/lake/**/*.parquet", recursive=True):
            if f not in self.counted:
                self.counted[f] = pq.read_metadata(f).num_rows
        return sum(self.counted.values())

    def wait_rows(self, rows, seconds=600):
        while self.lake_rows() < rows:
            if time.time() - self.began > seconds or self.process.poll() is not None:
                raise SystemExit(f"only {self.lake_rows()} of {rows} rows arrived\n" + open(f"{self.directory}/log").read()[-3000:])
            time.sleep(0.01)
        return time.time() - self.began


class Kafka:
    """One broker of the distribution KAFKA_HOME names, below /tmp."""

    def __enter__(self):
        self.directory, self.port = tempfile.mkdtemp(prefix="sluice-bench-kafka-", dir="/tmp"), free_port()
        self.servers = f"127.0.0.1:{self.port}"
        self.script("start", str(self.port))
        return self

    def __exit__(self, *_):
        self.script("stop")
        shutil.rmtree(self.directory, ignore_errors=True)

    def script(self, verb, *arguments):
        subprocess.run([f"{ROOT}/scripts/servers/kafka.sh", verb, self.directory, *arguments], check=True)

    def end(self, topic):
        """The records of partition 0, as the broker counts them."""
        r = subprocess.run(["kcat", "-Q", "-b", self.servers, "-t", f"{topic}:0:-1"], capture_output=True, text=True)
        m = re.search(r"offset (\d+)", r.stdout)
        return int(m.group(1)) if m else 0

    def record_bytes(self, topic, count=1000):
        """Bytes of a record's key and value, the mean of the first ones."""
        r = subprocess.run(["kcat", "-C", "-b", self.servers, "-t", topic, "-o", "beginning", "-c", str(count), "-e", "-q", "-f", "%K %S\n"],
                           capture_output=True, text=True, check=True)
        return sum(int(n) for n in r.stdout.split()) // count

    def wait(self, topic, rows, worker, seconds=600):
        while self.end(topic) < rows:
            if time.time() - worker.began > seconds or worker.process.poll() is not None:
                raise SystemExit(f"only {self.end(topic)} of {rows} records arrived\n" + open(f"{worker.directory}/log").read()[-3000:])
            time.sleep(0.05)
        return time.time() - worker.began

    def environment(self, schemas):
        return {"CONNECT_BOOTSTRAP_SERVERS": self.servers, "CONNECT_KEY_CONVERTER_SCHEMAS_ENABLE": schemas, "CONNECT_VALUE_CONVERTER_SCHEMAS_ENABLE": schemas}


class Connect:
    """Kafka Connect's standalone worker as its distribution starts it (KAFKA_HOME), with the plugins below PLUGIN_PATH and one connector."""

    def __init__(self, broker, name, config, worker):
        self.directory, self.port = tempfile.mkdtemp(prefix="sluice-bench-connect-", dir="/tmp"), free_port()
        worker = {"bootstrap.servers": broker.servers, "listeners": f"http://127.0.0.1:{self.port}", "plugin.path": os.environ["PLUGIN_PATH"],
                  "offset.storage.file.filename": f"{self.directory}/offsets", **worker}
        for file, settings in ("worker", worker), ("connector", {"name": name, **config}):
            open(f"{self.directory}/{file}.properties", "w").writelines(f"{k}={v}\n" for k, v in settings.items())

    def __enter__(self):
        self.began, self.log = time.time(), open(f"{self.directory}/log", "w")
        self.process = subprocess.Popen(
            [f"{os.environ['KAFKA_HOME']}/bin/connect-standalone.sh", f"{self.directory}/worker.properties", f"{self.directory}/connector.properties"],
            stdout=self.log, stderr=self.log, env=dict(os.environ, LOG_DIR=self.directory))
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    get, status, cpu, answers = Sluice.get, Sluice.status, Sluice.cpu, Sluice.answers


TABLE = """create table transactions(id bigserial primary key, account_id int, txn_type varchar(50), amount numeric(18,2),
    related_account_id int, status varchar(20), created_at timestamptz default now());"""
INSERT = """insert into transactions(account_id, txn_type, amount, related_account_id, status)
    select i % 5000, (array['DEPOSIT','WITHDRAWAL','TRANSFER'])[1 + i % 3], (i % 99999) / 100.0 + 0.01, case when i % 3 = 0 then i % 4999 end, 'COMPLETED'
    from generate_series({}, {}) i;"""


def source(pg, slot, **extra):
    return {
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "topic.prefix": "bench", "plugin.name": "pgoutput",
        "database.hostname": "127.0.0.1", "database.port": str(pg.port), "database.user": "postgres", "database.password": "postgres",
        "database.dbname": "postgres", "table.include.list": "public.transactions", "publication.name": "bench", "slot.name": slot,
        "publication.autocreate.mode": "filtered", **extra}


def lake(**extra):
    return {
        "connector.class": "io.confluent.connect.s3.S3SinkConnector", "topics": "bench.public.transactions",
        "storage.class": "io.confluent.connect.s3.storage.S3Storage", "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
        "parquet.codec": "zstd", "store.url": "file://$DIR", "s3.bucket.name": "lake", "flush.size": "100000", "file.max.age.ms": "1000",
        "payload.path": "after", **extra}


def median(values):
    return statistics.median(values)


def noise(values):
    """Spread of repeated runs of one thing, as a share of the median."""
    return (max(values) - min(values)) / median(values) if len(values) > 1 else 0.0


results = []


def report(what, measured, limit, bar, note=""):
    results.append((what, measured, limit, bar, note))
    print(f"  {what}: {measured}; beside it {limit}; bar {bar} {note}", flush=True)


def streaming():
    """A backlog of ROWS changes in slots made before the load; each run drains one slot."""
    with Postgres() as pg:
        pg.sql(TABLE + "create publication bench for table transactions;")
        slots = [f"a{i}" for i in range(RUNS)] + [f"b{i}" for i in range(RUNS)] + [f"s{i}" for i in range(RUNS)]
        for slot in slots:
            pg.sql(f"select pg_create_logical_replication_slot('{slot}', 'pgoutput')")
        step = 1000
        pg.sql("begin;\n" + "commit; begin;\n".join(INSERT.format(i + 1, min(i + step, ROWS)) for i in range(0, ROWS, step)) + "commit;")
        end = pg.sql("select pg_current_wal_flush_lsn()")
        pg.sql("checkpoint")

        def recvlogical(slot):
            began = time.time()
            subprocess.run(
                [f"{PG_BIN}/pg_recvlogical", "-h", "127.0.0.1", "-d", "postgres", "-S", slot, "--start", "--no-loop", "-f", "/dev/null", "-E", end,
                 "-o", "proto_version=1", "-o", "publication_names=bench"], check=True, env=pg.environment(), stderr=subprocess.DEVNULL)
            return ROWS / (time.time() - began)

        def sluice(slot):
            with Sluice({"source": source(pg, slot, **{"snapshot.mode": "no_data"}), "lake": lake()}) as worker:
                seconds = worker.wait_rows(ROWS)
                figures.append((worker.status("VmHWM"), worker.cpu()))
                assert worker.lake_rows() == ROWS, worker.lake_rows()
            return ROWS / seconds

        figures, a, b, s = [], [], [], []
        for i in range(RUNS):
            a.append(recvlogical(f"a{i}"))
            s.append(sluice(f"s{i}"))
            b.append(recvlogical(f"b{i}"))
        report("streaming: PostgreSQL backlog to Parquet files", f"{median(s):,.0f} rows/s", f"pg_recvlogical over TCP to /dev/null {median(a + b):,.0f} rows/s",
               "1.0", f"ratio {median(s) / median(a + b):.2f} (A/A noise {noise(a + b):.0%})")
        report("RSS during the streaming run", f"{max(f[0] for f in figures):.0f} MB", "", "< 256 MB", f"CPU {median([f[1] for f in figures]):.1f} s")


def kafka():
    """The same backlog into a topic of Apache Kafka, and records of 500 bytes from there to Parquet files."""
    if "KAFKA_HOME" not in os.environ:
        return print("  skipped: KAFKA_HOME names no distribution")
    with Postgres() as pg, Kafka() as broker:
        pg.sql(TABLE + "create publication bench for table transactions;")
        for name in [f"{kind}{i}" for kind in ("limit", "plain", "schemas", "none") for i in range(RUNS)]:
            pg.sql(f"select pg_create_logical_replication_slot('{name}', 'pgoutput')")
        pg.sql("begin;\n" + "commit; begin;\n".join(INSERT.format(i + 1, min(i + 1000, ROWS)) for i in range(0, ROWS, 1000)) + "commit;")
        end = pg.sql("select pg_current_wal_flush_lsn()")
        pg.sql("checkpoint")

        def recvlogical(slot):
            began = time.time()
            subprocess.run(
                [f"{PG_BIN}/pg_recvlogical", "-h", "127.0.0.1", "-d", "postgres", "-S", slot, "--start", "--no-loop", "-f", "/dev/null", "-E", end,
                 "-o", "proto_version=1", "-o", "publication_names=bench"], check=True, env=pg.environment(), stderr=subprocess.DEVNULL)
            return ROWS / (time.time() - began)

        def sluice(slot, schemas, **producer):
            config = source(pg, slot, **{"snapshot.mode": "no_data", "topic.prefix": slot}, **producer)
            with Sluice({"source": config}, broker.environment(schemas)) as worker:
                seconds = broker.wait(f"{slot}.public.transactions", ROWS, worker)
                rss.append(worker.status("VmHWM"))
                time.sleep(1)
                assert broker.end(f"{slot}.public.transactions") == ROWS
            return ROWS / seconds

        def producer(i, size):
            """Records of this size from memory by Kafka's own producer, with Connect's settings and batches as large as ours."""
            r = subprocess.run(
                [f"{os.environ['KAFKA_HOME']}/bin/kafka-producer-perf-test.sh", "--topic", f"producer{i}", "--num-records", str(ROWS), "--record-size", str(size),
                 "--throughput", "-1", "--producer-props", f"bootstrap.servers={broker.servers}", "acks=all", "enable.idempotence=false",
                 "max.in.flight.requests.per.connection=1", "batch.size=1000000", "linger.ms=5"], capture_output=True, text=True, check=True)
            return float(re.findall(r"([\d.]+) records/sec", r.stdout)[-1])

        rss, limit, rates, peer = [], [], {"plain": [], "schemas": [], "none": []}, []
        for i in range(RUNS):
            limit.append(recvlogical(f"limit{i}"))
            rates["plain"].append(sluice(f"plain{i}", "false"))
            rates["schemas"].append(sluice(f"schemas{i}", "true"))
            size = broker.record_bytes(f"schemas{i}.public.transactions")
            peer.append(producer(i, size))
            rates["none"].append(sluice(f"none{i}", "true", **{"producer.override.compression.type": "none"}))
        for kind, words, bar in (("plain", "without schemas", "0.9"), ("schemas", "with schemas", "0.6"), ("none", "with schemas, compression.type=none", "")):
            report(f"PostgreSQL backlog to Kafka, JSON {words}", f"{median(rates[kind]):,.0f} records/s", f"pg_recvlogical {median(limit):,.0f} rows/s", bar,
                   f"ratio {median(rates[kind]) / median(limit):.2f} (A/A noise {noise(limit):.0%}), RSS {max(rss):.0f} MB")

        report(f"the same from memory, Kafka's own producer, compression.type=none: {size:,} bytes a record", f"{median(rates['none']):,.0f} records/s",
               f"kafka-producer-perf-test {median(peer):,.0f} records/s", "1.0", f"ratio {median(rates['none']) / median(peer):.2f} (A/A noise {noise(peer):.0%})")

        record = json.dumps({"id": 1234567, "account": 4711, "type": "TRANSFER", "amount": 123.45, "status": "COMPLETED", "note": "x" * 398})
        # Long enough that joining the group and what kcat left to the disk count for little.
        count, rates = 3 * ROWS, []
        subprocess.run(["kcat", "-P", "-b", broker.servers, "-t", "records", "-z", "lz4"], input=f"{record}\n" * count, text=True, check=True)
        for i in range(RUNS):
            config = {k: v for k, v in lake(topics="records").items() if k != "payload.path"}
            # A group of its own: it reads from the beginning.
            with Sluice({f"lake{i}": config}, broker.environment("false")) as worker:
                rates.append(count / worker.wait_rows(count))
        report(f"Kafka to Parquet files, {count:,} records of {len(record)} bytes", f"{median(rates):,.0f} records/s", "", "400,000")


def jvm():
    """The same backlog into the same broker by Debezium on Kafka Connect, each run from exec to the last record; both with lz4 and without schemas."""
    if "KAFKA_HOME" not in os.environ or "PLUGIN_PATH" not in os.environ:
        return print("  skipped: KAFKA_HOME names no distribution, or PLUGIN_PATH no directory with Debezium's PostgreSQL connector")
    worker = {"producer.compression.type": "lz4"}
    for kind in "key", "value":
        worker |= {f"{kind}.converter": "org.apache.kafka.connect.json.JsonConverter", f"{kind}.converter.schemas.enable": "false"}
    with Postgres() as pg, Kafka() as broker:
        pg.sql(TABLE + "create publication bench for table transactions;")
        for name in [f"{kind}{i}" for kind in ("ours", "theirs") for i in range(RUNS)]:
            pg.sql(f"select pg_create_logical_replication_slot('{name}', 'pgoutput')")
        pg.sql("begin;\n" + "commit; begin;\n".join(INSERT.format(i + 1, min(i + 1000, ROWS)) for i in range(0, ROWS, 1000)) + "commit; checkpoint;")

        def run(slot, start):
            with start(source(pg, slot, **{"snapshot.mode": "no_data", "topic.prefix": slot})) as process:
                answer = process.answers()
                rate = ROWS / broker.wait(f"{slot}.public.transactions", ROWS, process)
                figures = rate, answer, process.status("VmHWM"), process.cpu()
                time.sleep(1)
                assert broker.end(f"{slot}.public.transactions") == ROWS
            return figures

        ours, theirs = [], []
        for i in range(RUNS):
            ours.append(run(f"ours{i}", lambda config: Sluice({"source": config}, broker.environment("false"))))
            theirs.append(run(f"theirs{i}", lambda config: Connect(broker, "source", config, worker)))
        (a, b), names = [[median(f) for f in zip(*figures)] for figures in (ours, theirs)], "Debezium on Kafka Connect"
        report("PostgreSQL backlog to Kafka, JSON without schemas, lz4", f"{a[0]:,.0f} records/s", f"{names} {b[0]:,.0f} records/s", "10",
               f"ratio {a[0] / b[0]:.1f} (A/A noise {noise([f[0] for f in theirs]):.0%})")
        report("REST answers after exec, with that connector", f"{a[1]:,.0f} ms", f"{names} {b[1]:,.0f} ms", "10", f"ratio {b[1] / a[1]:.1f}")
        report("RSS at most during that run", f"{a[2]:,.0f} MB", f"{names} {b[2]:,.0f} MB", "", f"ratio {b[2] / a[2]:.1f}; CPU {a[3]:.1f} s, {b[3]:.1f} s")


def snapshot():
    with Postgres() as pg:
        pg.sql(TABLE + INSERT.format(1, ROWS) + "create publication bench for table transactions; vacuum analyze transactions; checkpoint;")

        def copy():
            began = time.time()
            with open("/dev/null", "wb") as sink:
                subprocess.run(["psql", "-qX", "-c", "copy transactions to stdout (format binary)"], check=True, env=pg.environment(), stdout=sink)
            return ROWS / (time.time() - began)

        def sluice(i):
            with Sluice({"source": source(pg, f"snap{i}", **{"snapshot.mode": "initial_only", "slot.drop.on.stop": "true"}), "lake": lake()}) as worker:
                seconds = worker.wait_rows(ROWS)
                rss.append(worker.status("VmHWM"))
                assert worker.lake_rows() == ROWS, worker.lake_rows()
            return ROWS / seconds

        rss, a, b, s = [], [], [], []
        for i in range(RUNS):
            a.append(copy())
            s.append(sluice(i))
            b.append(copy())
        report("snapshot to Parquet files", f"{median(s):,.0f} rows/s", f"COPY (FORMAT binary) drained raw {median(a + b):,.0f} rows/s", "0.4",
               f"ratio {median(s) / median(a + b):.2f} (A/A noise {noise(a + b):.0%}), RSS {max(rss):.0f} MB")


def parquet():
    ours, theirs = [], []
    for _ in range(RUNS):
        ours.append(float(subprocess.run([f"{ROOT}/.build/release/parquet-benchmark"], check=True, capture_output=True, text=True).stdout.split()[-1]))
        theirs.append(float(subprocess.run([sys.executable, f"{ROOT}/Benchmarks/parquet_pyarrow.py"], check=True, capture_output=True, text=True).stdout.split()[-1]))
    report("Parquet writer, zstd with dictionary, one thread", f"{median(ours):,.0f} rows/s", f"pyarrow {median(theirs):,.0f} rows/s", "1.0",
           f"ratio {median(ours) / median(theirs):.2f} (A/A noise {noise(ours):.0%} / {noise(theirs):.0%})")


def csv():
    out = subprocess.run([sys.executable, f"{ROOT}/Benchmarks/csv_duckdb.py", f"{ROOT}/.build/release/csv-benchmark"], check=True, capture_output=True, text=True).stdout
    ours, theirs = re.search(r"transactions: .*ours (\d+) .*DuckDB (\d+)", out).groups()
    report("CSV to columns, one thread", f"{int(ours):,} rows/s", f"DuckDB {int(theirs):,} rows/s", "0.8", f"lowest ratio of two tables {out.split()[-1]}")


def latency():
    """1,000 single-row transactions a second; from the commit's time in the database to the moment a reader of the log sees the record."""
    with Postgres() as pg:
        pg.sql(TABLE + "create publication bench for table transactions;")
        with Sluice({"source": source(pg, "latency", **{"snapshot.mode": "no_data"})}) as worker:
            while not pg.sql("select 1 from pg_replication_slots where slot_name = 'latency' and active"):
                time.sleep(0.1)
            pg.sql(INSERT.format(1, 1))
            time.sleep(1)
            seconds, delays = 20, []

            def follow():
                url = f"http://127.0.0.1:{worker.port}/sluice/v1/topics/bench.public.transactions/records?follow=true"
                with urllib.request.urlopen(url, timeout=60) as lines:
                    for line in lines:
                        now = time.time()
                        m = re.search(rb'\\"ts_us\\":(\d+)', line)
                        if m:
                            delays.append(now - int(m.group(1)) / 1e6)
                        if len(delays) >= seconds * 1000:
                            return

            reader = threading.Thread(target=follow, daemon=True)
            reader.start()
            script = tempfile.NamedTemporaryFile("w", suffix=".sql", delete=False)
            script.write("insert into transactions(account_id, txn_type, amount, status) values (1, 'DEPOSIT', 1.00, 'COMPLETED');\n")
            script.close()
            subprocess.run([f"{PG_BIN}/pgbench", "-n", "-f", script.name, "-c", "4", "-j", "1", "-R", "1000", "-T", str(seconds + 2), "postgres"],
                           check=True, env=pg.environment(), capture_output=True)
            reader.join(10)
            os.unlink(script.name)
            delays.sort()
            if len(delays) < seconds * 500:
                raise SystemExit(f"only {len(delays)} records were seen")
            report("commit to readable in the log at 1,000 transactions/s", f"p50 {1000 * delays[len(delays) // 2]:.1f} ms, p99 {1000 * delays[len(delays) * 99 // 100]:.1f} ms",
                   "", "p50 < 10 ms, p99 < 50 ms", f"{len(delays):,} records, read over HTTP")


def startup():
    times, rss = [], []
    for _ in range(RUNS):
        worker = Sluice({}).start()
        times.append(worker.answers())
        time.sleep(2)
        rss.append(worker.status("VmRSS"))
        worker.__exit__()
    size = os.path.getsize(SLUICE) / 1e6
    report("REST answers after exec", f"{median(times):.0f} ms", "", "150 ms", f"slowest {max(times):.0f} ms; binary {size:.0f} MB")
    report("RSS of an idle worker", f"{max(rss):.0f} MB", "", "< 50 MB")


def make_run():
    """From the start of scripts/run.sh in an empty directory, initdb included, to the first Parquet file that can be read."""
    import pyarrow.parquet as pq
    times = []
    for _ in range(RUNS):
        directory = tempfile.mkdtemp(prefix="sluice-bench-run-", dir="/tmp")
        os.chmod(directory, 0o755)
        environment = dict(os.environ, RUN_DIR=directory, LISTEN=f"127.0.0.1:{free_port()}", PGHOST="", PGPORT=str(free_port()), SLUICE_BINARY=SLUICE)
        with open(f"{directory}/log", "w") as log:
            began = time.perf_counter()
            process = subprocess.Popen([f"{ROOT}/scripts/run.sh"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True)
            try:
                while not any(pq.read_metadata(f).num_rows for f in glob.glob(f"{directory}/lake/**/*.parquet", recursive=True)):
                    if process.poll() is not None or time.perf_counter() - began > 120:
                        raise SystemExit("no row in the lake\n" + open(f"{directory}/log").read()[-3000:])
                    time.sleep(0.01)
                times.append(time.perf_counter() - began)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(60)
        shutil.rmtree(directory, ignore_errors=True)
    age = json.load(open(f"{ROOT}/connectors.d/banking-lake.json"))["config"]["file.max.age.ms"]
    report("make run to the first row in the lake, after the build", f"{median(times):.1f} s", "", "< 10 s",
           f"slowest {max(times):.1f} s; initdb of the demo's PostgreSQL included; a file ends after file.max.age.ms={age}")


def big():
    with Postgres() as pg:
        pg.sql(TABLE + "create publication bench for table transactions; select pg_create_logical_replication_slot('big', 'pgoutput')")
        pg.sql(INSERT.format(1, BIG))
        with Sluice({"source": source(pg, "big", **{"snapshot.mode": "no_data"}), "lake": lake()}) as worker:
            seconds = worker.wait_rows(BIG, 1200)
            report(f"RSS during one transaction of {BIG:,} rows", f"{worker.status('VmHWM'):.0f} MB", "", "< 256 MB", f"{BIG / seconds:,.0f} rows/s")


def upload():
    """Eight files of 128 MiB at once to a server that throws them away; curl sends the same files, turn by turn."""
    subprocess.run(["swift", "build", "-c", "release", "--static-swift-stdlib", "--product", "upload-benchmark"], check=True, cwd=ROOT, capture_output=True)
    binary = f"{ROOT}/.build/release/upload-benchmark"
    with tempfile.TemporaryDirectory(prefix="sluice-bench-upload-", dir=os.environ.get("BENCH_DIR", "/tmp")) as directory:
        for i in range(8):
            with open(f"{directory}/{i}", "wb") as f:
                f.write(bytes(range(256)) * (128 << 12))
        sink = subprocess.Popen([binary, "sink"], stdout=subprocess.PIPE, text=True)
        try:
            endpoint = f"http://127.0.0.1:{sink.stdout.readline().strip()}"

            def curl(*how):
                """Eight processes' worth of work in one: plain, or with its own signature, which hashes the body."""
                began = time.time()
                arguments = [x for i in range(8) for x in (*(("-X", "PUT", "--data-binary", f"@{directory}/{i}") if how else ("-T", f"{directory}/{i}")), *how,
                                                           "-o", "/dev/null", f"{endpoint}/bench/file-{i}", "--next")][:-1]
                subprocess.run(["curl", "-sS", "--parallel", "--parallel-immediate", "--parallel-max", "8", *arguments], check=True)
                return 8 * 128 / (time.time() - began)

            def sluice(kind):
                return float(subprocess.run([binary, "send", endpoint, kind], check=True, capture_output=True, text=True).stdout)

            plain, signing, signed, unsigned = [], [], [], []
            for _ in range(RUNS):
                plain.append(curl())
                unsigned.append(sluice("unsigned"))
                signed.append(sluice("signed"))
                signing.append(curl("--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "key:secret"))
                plain.append(curl())
        finally:
            sink.kill()
    for what, ours, name, theirs in (
            ("bodies checksummed (as over https, without its TLS)", unsigned, "curl, neither", plain), ("bodies checksummed and signed (http)", signed, "curl, neither", plain),
            ("bodies checksummed and signed (http)", signed, "curl --aws-sigv4, signed", signing)):
        report(f"upload of 8 x 128 MiB, {what}", f"{median(ours):,.0f} MiB/s", f"{name}: {median(theirs):,.0f} MiB/s", "0.9",
               f"ratio {median(ours) / median(theirs):.2f} (A/A noise {noise(theirs):.0%})")


def s3_lake():
    """The log of one table to Parquet, by two sinks of one worker in turn: files in a directory, and objects in Swift's S3."""
    directory, port = tempfile.mkdtemp(prefix="sluice-bench-s3-", dir="/tmp"), str(free_port())
    os.rmdir(directory)
    subprocess.run([f"{ROOT}/scripts/servers/swift-s3.sh", "start", directory, port], check=True)
    try:
        with Postgres() as pg:
            pg.sql(TABLE + INSERT.format(1, ROWS))
            with Sluice({"source": source(pg, "s3lake", **{"snapshot.mode": "initial_only"})}) as worker:
                def until(what, done):
                    while not done():
                        if worker.process.poll() is not None or time.time() - worker.began > 600:
                            raise SystemExit(f"{what}\n" + open(f"{worker.directory}/log").read()[-3000:])
                        time.sleep(0.02)

                def metric(pattern):
                    with urllib.request.urlopen(f"http://127.0.0.1:{worker.port}/metrics", timeout=10) as r:
                        return sum(float(v) for v in re.findall(pattern + r"\S*} (\S+)", r.read().decode()))

                topic = f"http://127.0.0.1:{worker.port}/sluice/v1/topics"
                def snapshot_ended():
                    try:
                        return f'"end":{ROWS}' in urllib.request.urlopen(topic).read().decode().replace(" ", "")
                    except urllib.error.URLError:  # the worker starts
                        return False

                until("the snapshot ends", snapshot_ended)

                def run(name, config):
                    config = {k: v.replace("$DIR", worker.directory) for k, v in lake(**config, **{"file.max.age.ms": "-1", "topics.dir": name}).items()}
                    body = json.dumps({"name": name, "config": config}).encode()
                    began = time.time()
                    urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{worker.port}/connectors", body, {"Content-Type": "application/json"}))
                    until(f"{name} has all rows", lambda: metric(f'sluice_object_store_committed_offset{{connector="{name}"') >= ROWS)
                    return ROWS / (time.time() - began)

                remote = {"store.url": f"http://127.0.0.1:{port}", "s3.bucket.name": "bench", "s3.bucket.create": "true", "s3.region": "us-east-1",
                          "aws.access.key.id": "test:tester", "aws.secret.access.key": "testing"}
                a, s = [], []
                for i in range(RUNS):
                    a.append(run(f"local-{i}", {}))
                    s.append(run(f"s3-{i}", remote))
        report("log to Parquet in Swift's S3", f"{median(s):,.0f} rows/s", f"log to Parquet in a directory {median(a):,.0f} rows/s", "0.8",
               f"ratio {median(s) / median(a):.2f} (A/A noise {noise(a):.0%} / {noise(s):.0%})")
    finally:
        subprocess.run([f"{ROOT}/scripts/servers/swift-s3.sh", "stop", directory])
        shutil.rmtree(directory, ignore_errors=True)


def page():
    cpu = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read()).group(1)
    memory = int(re.search(r"MemTotal:\s+(\d+)", open("/proc/meminfo").read()).group(1)) / 1048576
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    postgres = re.search(r"[\d.]+", subprocess.run([PG_BIN + "/postgres", "-V"], capture_output=True, text=True).stdout).group()
    lines = [
        "# Benchmarks", "",
        "Written by `make bench`. Every rate ends in Parquet files whose rows were counted; the limit beside it was measured in the same run,",
        f"turn by turn, {RUNS} times each; figures are medians. A/A noise is the spread of the repeated limit.", "",
        f"Machine: {cpu}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.freedesktop_os_release()['PRETTY_NAME']}, PostgreSQL {postgres};",
        "everything on loopback and one disk. Table transactions(id bigserial, account_id int, txn_type varchar, amount numeric(18,2),",
        f"related_account_id int, status varchar, created_at timestamptz), {ROWS:,} rows. Commit {commit}, {time.strftime('%Y-%m-%d')}.", "",
        "Kafka's rows are measured where KAFKA_HOME names a distribution (Apache Kafka 4.1 here); the broker shares the two cores. A record with schemas brings",
        "some 3 KB of schema, so the run with compression.type=none moves about 4 GB; by default records are lz4. Plain curl neither hashes nor signs what it sends;",
        "with --aws-sigv4 it does, without the CRC32C that Sluice adds, and reads the file before it sends. Debezium's rows (3.3.1 on Kafka Connect 4.1, as its",
        "distribution starts it) are measured where PLUGIN_PATH names a directory with its plugin.", "",
        "| what | Sluice | beside it | bar | |", "|---|---|---|---|---|"]
    lines += ["| " + " | ".join(row) + " |" for row in results]
    open(f"{ROOT}/docs/benchmarks.md", "w").write("\n".join(lines) + "\n")


CASES = [streaming, kafka, jvm, snapshot, parquet, csv, latency, startup, make_run, big, upload, s3_lake]
for case in CASES:
    if not ONLY or case.__name__ in ONLY:
        print(case.__name__, flush=True)
        case()
if not ONLY:
    page()
