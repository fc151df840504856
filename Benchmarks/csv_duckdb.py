"""Rows per second of CPU time from CSV to columns: DuckDB's reader on one thread, and csv-benchmark on the same file in the same run.

    csv_duckdb.py CSV_BENCHMARK [ROWS]      prints both and the ratio"""
import os, statistics, subprocess, sys, tempfile, time
import duckdb

ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
TABLES = {
    "transactions": ("""select i + 1 id, 1 + hash(i) % 50000 account_id, ['DEPOSIT','WITHDRAWAL','TRANSFER'][(1 + hash(i * 3) % 3)::bigint] txn_type,
                 ((hash(i * 5) % 10000000) / 100)::decimal(18,2) amount, case when i % 3 = 2 then 1 + hash(i * 7) % 50000 end related_account_id,
                 'COMPLETED' status, timestamp '2024-01-01' + to_microseconds((i * 1000 + hash(i) % 1000)::bigint) created_at from range({rows}) t(i)""",
              [("id", "long"), ("account_id", "int"), ("txn_type", "string"), ("amount", "decimal(18,2)"), ("related_account_id", "int"), ("status", "string"),
               ("created_at", "timestamp_us")]),
    "cards": ("""select timestamp '2024-01-01' + to_seconds(i) trans_date_trans_time, uuid()::varchar user_id, 'fraud_' || (hash(i) % 700) || ', "Inc"' merchant,
                 'grocery_pos' category, round((hash(i) % 100000) / 97.0, 2) amt, md5(i::varchar) trans_num, 1700000000 + i unix_time, i % 200 = 0 is_fraud,
                 round((hash(i) % 18000000) / 100000.0 - 90, 6) lat from range({rows}) t(i)""",
              [("trans_date_trans_time", "timestamp_us"), ("user_id", "string"), ("merchant", "string"), ("category", "string"), ("amt", "double"),
               ("trans_num", "string"), ("unix_time", "long"), ("is_fraud", "boolean"), ("lat", "double")]),
}
DUCK = {"long": "BIGINT", "int": "INTEGER", "string": "VARCHAR", "double": "DOUBLE", "boolean": "BOOLEAN", "timestamp_us": "TIMESTAMP", "decimal(18,2)": "DECIMAL(18,2)"}

ratios = []
with tempfile.TemporaryDirectory() as directory:
    for name, (query, columns) in TABLES.items():
        path = os.path.join(directory, name + ".csv")
        duckdb.sql(f"copy ({query.format(rows=ROWS)}) to '{path}' (header)")
        db = duckdb.connect()
        db.sql("set threads = 1")
        types = {n: DUCK[t] for n, t in columns}
        # Aggregates that cost next to nothing keep DuckDB from leaving columns out.
        sql = f"select {', '.join(f'max({n})' for n in types)} from read_csv('{path}', header=true, auto_detect=false, delim=',', quote='\"', escape='\"', columns={types})"
        theirs, ours = [], []
        for _ in range(3):
            start = time.process_time()
            db.sql(sql).fetchall()
            theirs.append(ROWS / (time.process_time() - start))
            out = subprocess.run([sys.argv[1], path, ", ".join(f"{n} {t}" for n, t in columns)], check=True, capture_output=True, text=True).stdout
            ours.append(float(out.split()[-1]))
        a, b = statistics.median(ours), statistics.median(theirs)
        ratios.append(a / b)
        print(f"{name}: {os.path.getsize(path) / ROWS:.0f} bytes a row, ours {a:.0f} rows/s, DuckDB {b:.0f} rows/s, ratio {a / b:.2f}")
print("lowest ratio:", f"{min(ratios):.2f}")
