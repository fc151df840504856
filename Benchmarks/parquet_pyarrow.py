"""Rows per second of CPU time of pyarrow's Parquet writer on the rows of ParquetBenchmark.swift, one thread, into memory.
The last word printed is the headline: zstd level 3 with dictionary, in pyarrow's own defaults otherwise.

    parquet_pyarrow.py [--all] [--check FILE]     --check: FILE, written by parquet-benchmark --file, holds the same rows"""
import statistics, sys, time
import pyarrow as pa, pyarrow.compute as pc, pyarrow.parquet as pq

ROWS = 1_000_000
INDEX = pa.array(range(ROWS), pa.uint64())
word = lambda n: pa.scalar(n, pa.uint64())


def draw(c, below):
    """A number of column c in each row that looks random, as ParquetBenchmark.swift draws it. pyarrow's plain arithmetic wraps around."""
    z = pc.multiply(pc.add(pc.multiply(INDEX, word(8)), word(c + 1)), word(0x9E3779B97F4A7C15))
    z = pc.multiply(pc.bit_wise_xor(z, pc.shift_right(z, word(30))), word(0xBF58476D1CE4E5B9))
    z = pc.multiply(pc.bit_wise_xor(z, pc.shift_right(z, word(27))), word(0x94D049BB133111EB))
    z = pc.bit_wise_xor(z, pc.shift_right(z, word(31)))
    return pc.subtract(z, pc.multiply(pc.divide(z, word(below)), word(below))).cast(pa.int64())


def table():
    rows = INDEX.cast(pa.int64())
    kind, state = draw(2, 3), draw(5, 100)
    account = lambda c: pc.add(draw(c, 50_000), 1).cast(pa.int32())
    created = pc.add(pc.add(pc.multiply(rows, 1000), draw(6, 1000)), 1_700_000_000_000_000)
    return pa.table({
        "id": pc.add(rows, 1),
        "account_id": account(1),
        "txn_type": pa.array(["DEPOSIT", "WITHDRAWAL", "TRANSFER"]).take(kind),
        # A hundredth of the number: the same bits under another scale.
        "amount": pa.Array.from_buffers(pa.decimal128(18, 2), ROWS, draw(3, 10_000_000).cast(pa.decimal128(19, 0)).buffers()),
        "related_account_id": pc.if_else(pc.equal(kind, 2), account(4), pa.scalar(None, pa.int32())),
        "status": pc.if_else(pc.less(state, 95), "COMPLETED", pc.if_else(pc.less(state, 98), "PENDING", "FAILED")),
        "created_at": created.cast(pa.timestamp("us", "UTC")),
    })


def measure(data, runs, **options):
    times = []
    for _ in range(runs):
        sink = pa.BufferOutputStream()
        start = time.process_time()
        pq.write_table(data, sink, store_schema=False, store_decimal_as_integer=True, row_group_size=1 << 20, **options)
        size = sink.getvalue().size
        times.append(time.process_time() - start)
    return ROWS / statistics.median(times), size


data = table()
if "--check" in sys.argv:
    theirs = pq.read_table(sys.argv[sys.argv.index("--check") + 1])
    assert theirs.equals(data.cast(theirs.schema)), "the rows differ"
    print("the rows are equal")
if "--all" in sys.argv:
    for codec, level in [("none", None), ("snappy", None), ("gzip", 6), ("zstd", 1), ("zstd", 3), ("lz4", None)]:
        for dictionary in [True, False]:
            rate, size = measure(data, 5, compression=codec, compression_level=level, use_dictionary=dictionary)
            print(f"{codec}{' %d' % level if level else ''}, dictionary {'on' if dictionary else 'off'}: {rate:.0f} rows/s, {size} bytes")
    rate, size = measure(data, 5, compression="zstd", compression_level=3, write_page_index=True, write_page_checksum=True)
    print(f"zstd 3, dictionary on, with page index and checksums: {rate:.0f} rows/s, {size} bytes")
level = int(sys.argv[sys.argv.index("--level") + 1]) if "--level" in sys.argv else 3
rate, size = measure(data, 7, compression="zstd", compression_level=level)
print(f"zstd {level}, dictionary on, {ROWS} rows, {size} bytes, rows/s: {rate:.0f}")
