/// What pyarrow and DuckDB make of the files of a directory, compared with `expected.json`. Prints a list of complaints as JSON.
let oracleScript = #"""
    import datetime, json, math, os, struct, sys, uuid, zlib
    import duckdb, pyarrow as pa, pyarrow.parquet as pq
    sys.set_int_max_str_digits(0)

    directory = sys.argv[1]
    complaints = []

    def canonical(array):
        """Values as the test spells them, without going through Python's dates, which end at the year 9999."""
        kind = array.type
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], kind)
        if isinstance(kind, pa.BaseExtensionType):
            if str(kind).find("uuid") >= 0:
                return [None if v is None else "u:" + v.hex() for v in array.storage.to_pylist()]
            return canonical(array.storage)
        valid = array.is_valid().to_pylist()
        pick = lambda values: [v if ok else None for v, ok in zip(values, valid)]
        if pa.types.is_struct(kind):
            parts = [canonical(array.field(i)) for i in range(kind.num_fields)]
            names = [kind.field(i).name for i in range(kind.num_fields)]
            return pick([dict(zip(names, row)) for row in zip(*parts)])
        if pa.types.is_map(kind):
            keys, items, offsets = canonical(array.keys), canonical(array.items), array.offsets.to_pylist()
            return pick([[list(e) for e in zip(keys[a:b], items[a:b])] for a, b in zip(offsets, offsets[1:])])
        if pa.types.is_list(kind) or pa.types.is_large_list(kind):
            values, offsets = canonical(array.values), array.offsets.to_pylist()
            return pick([values[a:b] for a, b in zip(offsets, offsets[1:])])
        if pa.types.is_timestamp(kind):
            factor = {"s": 1000000000, "ms": 1000000, "us": 1000, "ns": 1}[kind.unit]
            return pick(["t:%d" % (v * factor) for v in array.cast(pa.int64()).fill_null(0).to_pylist()])
        if pa.types.is_date32(kind):
            return pick(["D:%d" % v for v in array.cast(pa.int32()).fill_null(0).to_pylist()])
        if pa.types.is_time32(kind):
            return pick(["T:%d" % (v * 1000) for v in array.cast(pa.int32()).fill_null(0).to_pylist()])
        if pa.types.is_time64(kind):
            return pick(["T:%d" % (v // (1000 if kind.unit == "ns" else 1)) for v in array.cast(pa.int64()).fill_null(0).to_pylist()])
        values = array.to_pylist()
        def spell(v):
            if v is None or isinstance(v, (bool, int)): return v
            if isinstance(v, float):
                if math.isnan(v): return "f:nan"
                return "f:" + (struct.pack(">f", v) if pa.types.is_float32(kind) else struct.pack(">d", v)).hex()
            if isinstance(v, str): return "s:" + v
            if isinstance(v, bytes): return "b:" + v.hex()
            sign, digits, exponent = v.as_tuple()
            number = int("".join(map(str, digits))) * (-1 if sign else 1)
            return "d:%d:%d" % (number, -exponent)
        return [spell(v) for v in values]

    def resolved(wanted):
        """Expected values, with ISO texts of instants turned into nanoseconds."""
        if isinstance(wanted, dict): return {k: resolved(v) for k, v in wanted.items()}
        if isinstance(wanted, list): return [resolved(v) for v in wanted]
        if isinstance(wanted, str) and wanted[:2] == "z:":
            epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
            return "t:%d" % ((datetime.datetime.fromisoformat(wanted[2:-1] + "+00:00") - epoch) // datetime.timedelta(microseconds=1) * 1000)
        return wanted

    def rows_of(table):
        columns = [canonical(table.column(i)) for i in range(table.num_columns)]
        names = table.schema.names
        return [dict(zip(names, row)) for row in zip(*columns)] if columns else []

    def differing(name, reader, wanted, got):
        if len(wanted) != len(got):
            complaints.append("%s: %s sees %d rows, not %d" % (name, reader, len(got), len(wanted)))
            return
        for i, (w, g) in enumerate(zip(wanted, got)):
            if w != g:
                for key in w:
                    # DuckDB hands UUIDs over as text.
                    if str(w[key])[:2] == "u:" and g.get(key, "") == "s:%s" % uuid.UUID(w[key][2:]): continue
                    if w[key] != g.get(key, "(missing)"):
                        complaints.append("%s: %s, row %d, %s: %r, not %r" % (name, reader, i, key, g.get(key, "(missing)"), w[key]))
                        return
                if set(w) != set(g):
                    complaints.append("%s: %s, row %d: fields %r, not %r" % (name, reader, i, list(g), list(w)))
                    return

    class Thrift:
        """The compact protocol, read into dictionaries by field id."""
        def __init__(self, data, at=0): self.data, self.at = data, at
        def byte(self):
            self.at += 1
            return self.data[self.at - 1]
        def varint(self):
            value = shift = 0
            while True:
                b = self.byte()
                value |= (b & 127) << shift
                if b < 128: return value
                shift += 7
        def zigzag(self):
            v = self.varint()
            return v >> 1 ^ -(v & 1)
        def value(self, kind, in_list=False):
            if kind in (1, 2): return (self.byte() == 1) if in_list else kind == 1
            if kind == 3: return struct.unpack("b", bytes([self.byte()]))[0]
            if kind in (4, 5, 6): return self.zigzag()
            if kind == 8:
                n = self.varint(); self.at += n
                return self.data[self.at - n:self.at]
            if kind == 9:
                head = self.byte(); n = head >> 4
                if n == 15: n = self.varint()
                return [self.value(head & 15, True) for _ in range(n)]
            if kind == 12: return self.structure()
            raise ValueError("kind %d" % kind)
        def structure(self):
            out, last = {}, 0
            while True:
                head = self.byte()
                if head == 0: return out
                last = last + (head >> 4) if head >> 4 else self.zigzag()
                out[last] = self.value(head & 15)

    def number(kind, raw):
        return {0: lambda: raw[0], 1: lambda: struct.unpack("<i", raw)[0], 2: lambda: struct.unpack("<q", raw)[0],
                4: lambda: struct.unpack("<f", raw)[0], 5: lambda: struct.unpack("<d", raw)[0]}.get(kind, lambda: raw)()

    def pages_match(name, path, options):
        """Walks every page: headers, checksums, the page index and the bounds that both levels of statistics claim."""
        data = open(path, "rb").read()
        assert data[:4] == b"PAR1" and data[-4:] == b"PAR1", "magic"
        footer = Thrift(data, len(data) - 8 - struct.unpack("<I", data[-8:-4])[0]).structure()
        file = pq.ParquetFile(path)
        flat = {}
        end_of_data = 4
        for g, group in enumerate(footer.get(4, [])):
            size = 0
            # Bloom filters stand behind their row group.
            for c in footer[4][g - 1][1] if g else []: end_of_data = max(end_of_data, c[3].get(14, 0) + c[3].get(15, 0))
            for c, chunk in enumerate(group[1]):
                meta = chunk[3]
                where = "%s: row group %d, %s" % (name, g, b".".join(meta[3]).decode())
                at = meta.get(11, meta[9]); start = at
                if at != end_of_data: complaints.append("%s starts at %d, not %d" % (where, at, end_of_data))
                uncompressed = values = 0
                pages = []
                while at < start + meta[7]:
                    thrift = Thrift(data, at); header = thrift.structure()
                    body = data[thrift.at:thrift.at + header[3]]
                    if options["checksums"] and header.get(4, 0) & 0xFFFFFFFF != zlib.crc32(body): complaints.append(where + ": checksum")
                    uncompressed += thrift.at - at + header[2]
                    if header[1] != 2:
                        pages.append((at, thrift.at - at + header[3], header))
                        values += (header.get(5) or header.get(8))[1]
                    at = thrift.at + header[3]
                if at != start + meta[7]: complaints.append(where + ": chunk length")
                end_of_data = at
                size += meta[7]
                if uncompressed != meta[6]: complaints.append("%s: total_uncompressed_size %d, not %d" % (where, meta[6], uncompressed))
                if values != meta[5]: complaints.append("%s: num_values %d, not %d" % (where, meta[5], values))
                if not options["statistics"]:
                    if 12 in meta or 4 in chunk: complaints.append(where + ": statistics are off")
                    continue
                if options["joined"]:
                    if set(chunk) & {4, 5, 6, 7}: complaints.append(where + ": an index that was left behind")
                    if len(meta[3]) == 1: bounds_hold(where, file, g, meta, None, None, flat)
                    continue
                offsets = Thrift(data, chunk[4]).structure()[1]
                if [(p[1], p[2]) for p in offsets] != [(a, n) for a, n, _ in pages]: complaints.append(where + ": offset index")
                firsts = [p[3] for p in offsets]
                if firsts[0] != 0 or sorted(set(firsts)) != firsts or firsts[-1] >= group[3]: complaints.append(where + ": first rows")
                index = Thrift(data, chunk[6]).structure() if 6 in chunk else None
                if index and sum(index[5]) != meta[12][3]: complaints.append(where + ": null counts of pages")
                if len(meta[3]) == 1:
                    bounds_hold(where, file, g, meta, firsts, index, flat)
            if group.get(6) != size: complaints.append("%s: row group %d: size" % (name, g))

    def bounds_hold(where, file, g, meta, firsts, index, cache):
        if g not in cache: cache.clear(); cache[g] = file.read_row_group(g)
        leaf = meta[3][0].decode()
        column, array = file.schema_arrow.field(leaf), cache[g].column(leaf)
        kind = meta[1]
        raw = physical(array, kind, meta)
        if raw is None: return
        statistics = meta[12]
        live = [v for v in raw if v is not None and v == v]
        if statistics[3] != sum(v is None for v in raw): complaints.append(where + ": null_count")
        key = (lambda v: int.from_bytes(v, "big", signed=True)) if kind == 7 and pa.types.is_decimal(column.type) else (lambda v: v)
        def check(what, low, high, values, exact):
            if not values: return
            least, most = min(values, key=key), max(values, key=key)
            low, high = number(kind, low), number(kind, high)
            if key(low) > key(least) or key(high) < key(most): complaints.append("%s: %s: bounds %r %r exclude %r %r" % (where, what, low, high, least, most))
            if exact[0] and low != least or exact[1] and high != most: complaints.append("%s: %s: bounds %r %r are not exact" % (where, what, low, high))
        if live and 6 not in statistics: complaints.append(where + ": no bounds")
        if 6 in statistics: check("chunk", statistics[6], statistics[5], live, (statistics[8], statistics[7]))
        if firsts is None: return
        if index is None:
            if all(v is None or v == v for v in raw): complaints.append(where + ": no column index")
            return
        ends = firsts[1:] + [len(raw)]
        for i, (a, b) in enumerate(zip(firsts, ends)):
            page = [v for v in raw[a:b] if v is not None and v == v]
            if index[1][i] != all(v is None for v in raw[a:b]): complaints.append("%s: page %d: null page" % (where, i))
            if index[5][i] != sum(v is None for v in raw[a:b]): complaints.append("%s: page %d: null count" % (where, i))
            if not index[1][i]: check("page %d" % i, index[2][i], index[3][i], page, (kind < 6, kind < 6))
        order, used = index[4], [i for i in range(len(firsts)) if not index[1][i]]
        keys = [(key(number(kind, index[2][i])), key(number(kind, index[3][i]))) for i in used]
        pairs = list(zip(keys, keys[1:]))
        if order == 1 and any(a[0] > b[0] or a[1] > b[1] for a, b in pairs): complaints.append(where + ": not ascending")
        if order == 2 and any(a[0] < b[0] or a[1] < b[1] for a, b in pairs): complaints.append(where + ": not descending")
        if order == 0 and (all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairs) or all(a[0] >= b[0] and a[1] >= b[1] for a, b in pairs)): complaints.append(where + ": order not told")

    def physical(array, kind, meta):
        """The column's values as the file stores them, for comparisons; None where that is not worth the trouble."""
        if isinstance(array.type, pa.BaseExtensionType): array = pa.chunked_array([c.storage for c in array.chunks])
        t = array.type
        if kind == 0: return [None if v is None else int(v) for v in array.to_pylist()]
        if kind in (1, 2):
            if pa.types.is_decimal(t): return [None if v is None else int(v.scaleb(t.scale)) for v in array.to_pylist()]
            if pa.types.is_temporal(t): array = array.cast(pa.int32() if pa.types.is_date32(t) or pa.types.is_time32(t) else pa.int64())
            return array.to_pylist()
        if kind in (4, 5): return array.to_pylist()
        if kind == 6: return [None if v is None else v.encode() if isinstance(v, str) else v for v in array.to_pylist()]
        if pa.types.is_decimal(t):
            values = [None if v is None else int(v.scaleb(t.scale, __import__("decimal").Context(prec=80))) for v in array.to_pylist()]
            raw = meta[12].get(6)
            return None if raw is None else [None if v is None else v.to_bytes(len(raw), "big", signed=True) for v in values]
        return array.to_pylist()

    connection = duckdb.connect()
    connection.execute("SET TimeZone='UTC'")
    for name, wanted in json.load(open(os.path.join(directory, "expected.json"))).items():
        path = os.path.join(directory, name)
        options = wanted["options"]
        try:
            if "rows" in wanted: wanted["rows"] = resolved(wanted["rows"])
            file = pq.ParquetFile(path, page_checksum_verification=options["checksums"])
            if "rows" in wanted: differing(name, "pyarrow", wanted["rows"], rows_of(file.read()))
            meta = file.metadata
            for c in range(meta.num_columns if meta.num_row_groups else 0):
                codec = meta.row_group(0).column(c).compression.lower()
                if codec != options["codec"] and not options["joined"]: complaints.append("%s: codec %s" % (name, codec))
            if "groups" in wanted and [meta.row_group(i).num_rows for i in range(meta.num_row_groups)] != wanted["groups"]:
                complaints.append("%s: row groups of %r" % (name, [meta.row_group(i).num_rows for i in range(meta.num_row_groups)]))
            for key, value in wanted.get("metadata", {}).items():
                if meta.metadata.get(key.encode(), b"").decode() != value: complaints.append("%s: metadata %s" % (name, key))
            if "schema" in wanted:
                got = str(file.schema).split("\n", 1)[1].strip()
                if got != wanted["schema"].strip(): complaints.append("%s: schema\n%s" % (name, got))
            pages_match(name, path, options)
            if options["duckdb"]:
                result = connection.execute("SELECT * FROM read_parquet('%s')" % path)
                if "rows" in wanted: differing(name, "DuckDB", wanted["rows"], rows_of(result.to_arrow_table()))
                for sql, answer in wanted.get("queries", {}).items():
                    got = connection.execute(sql.replace("FILE", "read_parquet('%s')" % path)).fetchall()
                    if str(got[0][0]) != answer: complaints.append("%s: %s gives %r, not %s" % (name, sql, got[0][0], answer))
        except Exception as error:
            import traceback
            complaints.append("%s: %s" % (name, "".join(traceback.format_exception(error)[-3:])))
    print(json.dumps(complaints))
    """#
