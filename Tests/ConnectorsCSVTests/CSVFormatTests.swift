import CSV
import ConnectAPI
import Foundation
import TestSupport
import Testing

/// The laws of the CSV format: Python's csv module and DuckDB are the oracles.
@Suite struct CSVFormatTests {
    /// Texts by rows, reading the bytes in pieces cut anywhere.
    static func texts(_ bytes: [UInt8], _ dialect: CSVDialect, cutting random: inout SeededGenerator) -> [[String]] {
        let tokenizer = CSVTokenizer(dialect)
        var rows = CSVRows(), pending: [UInt8] = [], at = 0, out: [[String]] = [], width: Int?
        while true {
            let isFinal = at == bytes.count
            pending.withUnsafeBytes { pending in
                tokenizer.scan(pending, into: &rows, width: width, limit: Int.random(in: 1...50, using: &random), isFinal: isFinal)
                if width == nil, rows.count > 0 { width = rows.fields.count / rows.count }
                for row in 0..<rows.count { out.append(CSVText.row(row, of: rows, width: width!, pending, .utf8)) }
                #expect(rows.malformed.isEmpty)
            }
            pending.removeFirst(rows.consumed)
            if rows.consumed == 0 {
                if isFinal { break }
                let step = min(bytes.count - at, Int.random(in: 1...200, using: &random))
                pending += bytes[at..<at + step]
                at += step
            }
        }
        #expect(pending.isEmpty)
        return out
    }

    private struct Case: Decodable {
        let delimiter: String, quote: String, escape: String?, text: String, rows: [[String]]
    }

    @Test func readsWhatPythonWrites() throws {
        var random = SeededGenerator(seed: .random(in: 0...UInt64.max))
        print("csv: SLUICE_SEED=\(random.seed)")
        let json = try Python.run(
            """
            import csv, io, json, random, sys
            random.seed(int(sys.argv[1])); cases = []
            alphabet = list('abc "\\',;|\\t\\r\\n\\\\') + ['é', '漢', '🙂', '""', '\\r\\n', 'x' * 40]
            for _ in range(300):
                d, q = random.choice(',;|\\t'), random.choice('"\\'')
                escape = random.choice([None, None, '\\\\'])
                width, end, all = random.randint(1, 6), random.choice(['\\n', '\\r\\n']), random.random() < .3
                # Python leaves a lone carriage return unquoted where lines end with a newline.
                texts = alphabet if all or end != '\\n' else [c for c in alphabet if c != '\\r']
                rows = [[''.join(random.choices(texts, k=random.choice([0, 1, 3, 9, 30]))) for _ in range(width)] for _ in range(random.randint(1, 40))]
                if width == 1: rows = [[c[0] or 'x'] for c in rows]
                out = io.StringIO()
                quoting = csv.QUOTE_ALL if all else csv.QUOTE_MINIMAL
                csv.writer(out, delimiter=d, quotechar=q, escapechar=escape, doublequote=escape is None, quoting=quoting,
                           lineterminator=end).writerows(rows)
                cases.append(dict(delimiter=d, quote=q, escape=escape, text=out.getvalue(), rows=rows))
            print(json.dumps(cases))
            """, [String(random.next() >> 1)])
        let cases = try JSONDecoder().decode([Case].self, from: Data(json.utf8))
        #expect(cases.count == 300)
        for one in cases {
            var dialect = CSVDialect()
            dialect.separator = one.delimiter.utf8.first!
            dialect.quote = one.quote.utf8.first!
            dialect.escape = one.escape?.utf8.first
            #expect(Self.texts(Array(one.text.utf8), dialect, cutting: &random) == one.rows, "\(one.text.debugDescription)")
        }
    }

    @Test func typesAreAsDuckDBReadsThem() throws {
        try withUnsafeTypes { declaration, duck, csv in
            let columns = try CSVColumn.list(declaration)
            let expected = try Python.run(
                """
                import duckdb, sys, tempfile
                with tempfile.NamedTemporaryFile('w', suffix='.csv') as f:
                    f.write(sys.stdin.read()); f.flush()
                    rows = duckdb.sql(f"select * from read_csv('{f.name}', header=true, auto_detect=false, delim=',', quote='\\"', columns={sys.argv[1]})").fetchall()
                for row in rows:
                    print('|'.join('NULL' if v is None else str(v).lower() if isinstance(v, bool) else v.hex() if isinstance(v, float) else str(v) for v in row))
                """, [duck], input: csv)
            let bytes = Array(csv.utf8)
            let lines = bytes.withUnsafeBytes { bytes in
                var rows = CSVRows()
                CSVTokenizer(CSVDialect()).scan(bytes, into: &rows, width: columns.count, limit: .max, isFinal: true)
                let header = Int(rows.ends[0]) + 1, body = UnsafeRawBufferPointer(rebasing: bytes[header...])
                CSVTokenizer(CSVDialect()).scan(body, into: &rows, width: columns.count, limit: .max, isFinal: true)
                let result = CSVColumnReader(columns).parse(rows, body)
                #expect(result.bad.isEmpty)
                return (0..<rows.count).map { row in result.columns.map { Self.text($0, row) }.joined(separator: "|") }
            }
            #expect(lines.joined(separator: "\n") + "\n" == expected)
        }
    }

    private func withUnsafeTypes(_ body: (String, String, String) throws -> Void) throws {
        var random = SeededGenerator(seed: .random(in: 0...UInt64.max))
        print("csv types: SLUICE_SEED=\(random.seed)")
        func digits(_ n: Int) -> String { String((0..<n).map { _ in "0123456789".randomElement(using: &random)! }) }
        func maybe(_ text: String) -> String { Int.random(in: 0..<8, using: &random) == 0 ? "" : text }
        var csv = "l,i,d,n,b,t,s\n"
        for _ in 0..<2000 {
            let sign = Bool.random(using: &random) ? "-" : ""
            let double =
                [
                    "\(sign)\(digits(3)).\(digits(2))", "\(sign)\(digits(20)).\(digits(9))", "\(sign)0.\(digits(17))",
                    "\(digits(1)).\(digits(15))e\(sign)\(digits(2))",
                    "\(sign)\(digits(16))", "\(digits(1))e-3\(digits(1))",
                ].randomElement(using: &random)!
            let time = String(
                format: "%04d-%02d-%02d %02d:%02d:%02d.%06d", Int.random(in: 1900...2100, using: &random), Int.random(in: 1...12, using: &random),
                Int.random(in: 1...28, using: &random), Int.random(in: 0...23, using: &random), Int.random(in: 0...59, using: &random),
                Int.random(in: 0...59, using: &random), Int.random(in: 0...999_999, using: &random))
            csv +=
                [
                    maybe(String(Int64.random(in: .min ... .max, using: &random) >> Int64.random(in: 0...63, using: &random))),
                    maybe(String(Int32.random(in: .min ... .max, using: &random))), maybe(double),
                    maybe("\(sign)\(digits(Int.random(in: 1...16, using: &random))).\(digits(2))"),
                    maybe(Bool.random(using: &random) ? "true" : "false"), maybe(time),
                    maybe(["plain", "\"a, \"\"b\"\"\"", "é"].randomElement(using: &random)!),
                ].joined(separator: ",") + "\n"
        }
        try body(
            "l long, i int, d double, n decimal(18,2), b boolean, t timestamp_us, s string",
            "{'l':'BIGINT','i':'INTEGER','d':'DOUBLE','n':'DECIMAL(18,2)','b':'BOOLEAN','t':'TIMESTAMP','s':'VARCHAR'}", csv)
    }

    /// As Python prints it.
    private static func text(_ column: Column, _ row: Int) -> String {
        if column.isNull(row) { return "NULL" }
        switch column.storage {
        case .int32(let values): return String(values[row])
        case .int64(let values) where column.schema.name == nil: return String(values[row])
        case .int64(let values):
            let text = ISO8601.timestamp(micros: values[row], fractionDigits: 6).replacingOccurrences(of: "T", with: " ").dropLast()
            return String(text.hasSuffix(".000000") ? text.dropLast(7) : text)
        case .float64(let values): return pythonHex(values[row])
        case .boolean(let values): return values[row] != 0 ? "true" : "false"
        case .decimal128(let values):
            let digits = String(values[row].magnitude), padded = String(repeating: "0", count: max(0, 3 - digits.count)) + digits
            return (values[row] < 0 ? "-" : "") + padded.dropLast(2) + "." + padded.suffix(2)
        default: return column[row].stringValue ?? "?"
        }
    }

    /// `float.hex` of Python.
    private static func pythonHex(_ value: Double) -> String {
        let bits = value.bitPattern, fraction = bits & (1 << 52 - 1), exponent = Int(bits >> 52 & 0x7FF)
        let digits = String(fraction, radix: 16), padded = String(repeating: "0", count: 13 - digits.count) + digits
        let sign = value.sign == .minus ? "-" : ""
        if exponent == 0 { return fraction == 0 ? "\(sign)0x0.0p+0" : "\(sign)0x0.\(padded)p-1022" }
        return "\(sign)0x1.\(padded)p\(exponent >= 1023 ? "+" : "")\(exponent - 1023)"
    }

    /// Random bytes never trap, every row is a record or reported, and where the bytes are cut does not matter.
    @Test func anyBytesAreRowsOrReported() {
        var random = SeededGenerator(seed: .random(in: 0...UInt64.max))
        print("csv fuzz: SLUICE_SEED=\(random.seed)")
        let alphabet = Array("a1.,;\"'\\\n\r -Z:".utf8) + [0, 0x80, 0xFF, 0xC3]
        for _ in 0..<3000 {
            let bytes = (0..<Int.random(in: 0...300, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
            var dialect = CSVDialect()
            dialect.separator = [UInt8(ascii: ","), UInt8(ascii: ";")].randomElement(using: &random)!
            dialect.quote = [nil, UInt8(ascii: "\""), UInt8(ascii: "'")].randomElement(using: &random)!
            dialect.escape = [nil, UInt8(ascii: "\\")].randomElement(using: &random)!
            dialect.ignoresLeadingBlanks = Bool.random(using: &random)
            let width = Int.random(in: 1...4, using: &random)
            let whole = Self.summary(bytes, dialect, width, step: bytes.count)
            #expect(Self.summary(bytes, dialect, width, step: 1) == whole, "\(bytes) \(dialect) \(width)")
        }
    }

    /// Every row's place and texts, and what was reported.
    private static func summary(_ bytes: [UInt8], _ dialect: CSVDialect, _ width: Int, step: Int) -> [String] {
        let columns = CSVColumnReader(
            (0..<width).map { CSVColumn("c\($0)", [.string, .int64, .float64, .timestamp(nil, micros: true)][$0]) })
        let tokenizer = CSVTokenizer(dialect)
        var rows = CSVRows(), start = 0, end = 0, out: [String] = [], line = 0
        while true {
            let isFinal = end == bytes.count
            bytes[start..<end].withUnsafeBytes { pending in
                tokenizer.scan(pending, into: &rows, width: width, limit: .max, isFinal: isFinal)
                let parsed = columns.parse(rows, pending), good = parsed.rows ?? Array(0..<rows.count)
                for (i, row) in good.enumerated() {
                    out.append("\(start + Int(rows.starts[row])) \(line + Int(rows.lines[row])) \(parsed.columns.map { $0[i] })")
                }
                for bad in parsed.bad { out.append("\(start + Int(rows.starts[bad.row])) \(bad.reason)") }
                for bad in rows.malformed { out.append("\(start + bad.range.lowerBound) \(line + bad.line) \(bad.reason)") }
                var inference = CSVTypeInference(width: width)
                inference.observe(rows, pending)
                #expect(inference.types.count == width)
            }
            start += rows.consumed
            line += rows.consumedLines
            if rows.consumed == 0 || start == end {
                if isFinal { break }
                end = min(bytes.count, end + max(1, step))
            }
        }
        // An unclosed quote is known at the end only, whatever was cut.
        return out.sorted()
    }

    @Test(
        arguments: [
            ("1", "long"), ("-9223372036854775808", "long"), ("9223372036854775808", "string"), ("007", "string"), ("0", "long"), ("0.5", "double"),
            ("1e5", "double"),
            ("TRUE", "boolean"), ("2026-11-26", "date"), ("2026-02-30", "string"), ("2026-11-26 17:03:59", "timestamp"),
            ("2026-11-26T17:03:59.123456Z", "timestamp_us"),
            ("x", "string"), ("", "string"), ("-", "string"), ("1 2", "string"), (" 12 ", "long"),
        ])
    func infers(_ text: String, _ type: String) {
        let bytes = Array("\(text),x\n".utf8)
        bytes.withUnsafeBytes { bytes in
            var rows = CSVRows(), inference = CSVTypeInference(width: 2)
            CSVTokenizer(CSVDialect()).scan(bytes, into: &rows, width: 2, limit: 1, isFinal: true)
            inference.observe(rows, bytes)
            #expect(inference.types[0].description == type)
        }
    }

    @Test func columnListsReadBackAsTheyWereWritten() throws {
        let text = "id long, \"a, b\" decimal(18,2), at timestamp(dd.MM.yyyy 'at' HH:mm), x string, d date(MM/dd/yy)"
        let columns = try CSVColumn.list(text)
        #expect(columns.map(\.name) == ["id", "a, b", "at", "x", "d"])
        #expect(try CSVColumn.list(columns.declaration) == columns)
        for bad in ["a money", "a decimal", "a decimal(39,2)", "a long(3)", "a timestamp(yyyy-QQ)", "a long, a int"] {
            #expect(throws: CSVTypeError.self) { try CSVColumn.list(bad) }
        }
    }
}
