package import ConnectAPI

/// Turns rows into columns: one loop a column, the type switch outside of it.
package struct CSVColumnReader: Sendable {
    /// Which empty fields of a string column are null; those of other types always are.
    package struct Nulls: Sendable, Hashable {
        package var unquotedEmpty = true
        package var quotedEmpty = false
        /// A text that stands for null, such as `NA`, outside of quotes.
        package var text: [UInt8] = []
        package init() {}
    }
    package enum Charset: Sendable, Hashable { case utf8, latin1 }

    package let columns: [CSVColumn]
    private let nulls: Nulls
    private let charset: Charset
    /// Of times without one.
    private let zone: TimeZoneRules

    package init(_ columns: [CSVColumn], nulls: Nulls = Nulls(), charset: Charset = .utf8, zone: TimeZoneRules = .utc) {
        self.columns = columns
        self.nulls = nulls
        self.charset = charset
        self.zone = zone
    }

    package struct Result: Sendable {
        /// One a declared column, without the bad rows.
        package let columns: [Column]
        /// Which rows are in the columns; nil: all.
        package let rows: [Int]?
        package let bad: [(row: Int, reason: CSVRowError)]
    }

    package func parse(_ rows: CSVRows, _ bytes: UnsafeRawBufferPointer) -> Result {
        rows.copies.withUnsafeBytes { copies in
            var pass = Pass(rows: rows, width: columns.count, bytes: bytes, copies: copies, nulls: nulls)
            var parsed: [Column] = []
            parsed.reserveCapacity(columns.count)
            for (i, column) in columns.enumerated() {
                let (storage, validity) = storage(column, i, &pass)
                if !column.isOptional, let validity { pass.requireAll(validity, column.name) }
                parsed.append(Column(column.schema, count: rows.count, storage, validity: column.isOptional ? validity : nil))
            }
            guard !pass.bad.isEmpty else { return Result(columns: parsed, rows: nil, bad: []) }
            let good = (0..<rows.count).filter { pass.bad[$0] == nil }
            return Result(
                columns: parsed.map { $0.select(good) }, rows: good, bad: pass.bad.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
        }
    }

    /// Texts that come from elsewhere, such as a JSON document; nil is null.
    package func parse(_ texts: [[String?]]) -> Result { parse(CSVRows(texts), UnsafeRawBufferPointer(start: nil, count: 0)) }

    private func storage(_ column: CSVColumn, _ i: Int, _ pass: inout Pass) -> (Column.Storage, Bitmap?) {
        func integers<T: FixedWidthInteger>(_ range: ClosedRange<Int64>, _ make: ([T]) -> Column.Storage) -> (Column.Storage, Bitmap?) {
            let (values, validity) = pass.values(i, column, T(0)) { text in
                NumberText.int64(text).flatMap { range.contains($0) ? T(truncatingIfNeeded: $0) : nil }
            }
            return (make(values), validity)
        }
        switch column.type {
        case .int8: return integers(-128...127) { .int32($0) }
        case .int16: return integers(-32768...32767) { .int32($0) }
        case .int32: return integers(Int64(Int32.min)...Int64(Int32.max)) { .int32($0) }
        case .int64: return integers(Int64.min...Int64.max) { .int64($0) }
        case .boolean:
            let (values, validity) = pass.values(i, column, UInt8(0)) { NumberText.boolean($0) }
            return (.boolean(values), validity)
        case .float32:
            let (values, validity) = pass.values(i, column, Float(0)) { text in
                // Rounded once: a float's text is read at its own width.
                NumberText.double(text).map { $0.isFinite ? Float(String(decoding: text, as: UTF8.self)) ?? Float($0) : Float($0) }
            }
            return (.float32(values), validity)
        case .float64:
            let (values, validity) = pass.values(i, column, 0.0) { NumberText.double($0) }
            return (.float64(values), validity)
        case .decimal(let precision, let scale):
            let limit = NumberText.power(precision ?? 38)
            let (values, validity) = pass.values(i, column, Int128(0)) { NumberText.decimal($0, limit: limit, scale: scale) }
            return (.decimal128(values), validity)
        case .date(let pattern):
            let utc = TimeZoneRules.utc
            let (values, validity) = pass.values(i, column, Int32(0)) { text in
                (pattern.map { $0.micros(text, utc) } ?? CivilTime.iso(text, utc, date: true)?.micros)
                    .flatMap { Int32(exactly: $0.flooredDivision(by: 86_400_000_000).quotient) }
            }
            return (.int32(values), validity)
        case .timestamp(let pattern, let micros):
            let (values, validity) = pass.values(i, column, Int64(0)) { text in
                let value = pattern.map { $0.micros(text, zone) } ?? CivilTime.iso(text, zone, date: false)?.micros
                return micros ? value : value?.flooredDivision(by: 1000).quotient
            }
            return (.int64(values), validity)
        case .string:
            return pass.texts(i, charset)
        }
    }
}

/// One parse: what the loops share.
private struct Pass {
    let rows: CSVRows
    let width: Int
    let bytes: UnsafeRawBufferPointer
    let copies: UnsafeRawBufferPointer
    let nulls: CSVColumnReader.Nulls
    var bad: [Int: CSVRowError] = [:]

    @inline(__always) private func text(_ field: CSVField) -> UnsafeRawBufferPointer {
        let base = field.isCopied ? copies : bytes
        return UnsafeRawBufferPointer(rebasing: base[Int(field.start)..<Int(field.start) &+ field.count])
    }

    @inline(__always) private func isNullText(_ text: UnsafeRawBufferPointer, _ field: CSVField) -> Bool {
        !nulls.text.isEmpty && !field.isQuoted && text.elementsEqual(nulls.text)
    }

    @inline(__always) mutating func values<T>(
        _ column: Int, _ declared: CSVColumn, _ zero: T, _ parse: (UnsafeRawBufferPointer) -> T?
    ) -> ([T], Bitmap?) {
        var validity: Bitmap?, failed: [Int] = []
        let count = rows.count
        let values = rows.fields.withUnsafeBufferPointer { fields in
            [T](unsafeUninitializedCapacity: count) { out, made in
                var at = column
                for row in 0..<count {
                    let field = fields[at]
                    at &+= width
                    let text = NumberText.trimmed(text(field))
                    if text.count == 0 || isNullText(text, field) {
                        Self.setNull(row, count, &validity)
                        out.initializeElement(at: row, to: zero)
                    } else if let value = parse(text) {
                        out.initializeElement(at: row, to: value)
                    } else {
                        failed.append(row)
                        out.initializeElement(at: row, to: zero)
                    }
                }
                made = count
            }
        }
        for row in failed where bad[row] == nil { bad[row] = .value(column: declared.name, type: declared.type.description) }
        return (values, validity)
    }

    private static func setNull(_ row: Int, _ count: Int, _ validity: inout Bitmap?) {
        if validity == nil { validity = Bitmap(repeating: true, count: count) }
        validity?[row] = false
    }

    mutating func requireAll(_ validity: Bitmap, _ name: String) {
        for row in (!validity).setPositions where bad[row] == nil { bad[row] = .missing(column: name) }
    }

    mutating func texts(_ column: Int, _ charset: CSVColumnReader.Charset) -> (Column.Storage, Bitmap?) {
        var validity: Bitmap?, total = 0
        let count = rows.count, mayRepair = rows.hasHighBytes
        rows.fields.withUnsafeBufferPointer { fields in
            for row in 0..<count { total &+= fields[row &* width &+ column].count }
        }
        // 16 bytes are copied at once where both ends allow it.
        var offsets: [Int32] = [0]
        offsets.reserveCapacity(count + 1)
        var repaired: [(row: Int, text: [UInt8])] = []
        var texts = [UInt8](unsafeUninitializedCapacity: total + 16) { out, made in
            var end = 0
            let target = UnsafeMutableRawPointer(out.baseAddress!)
            for row in 0..<count {
                let field = rows.fields[row &* width &+ column], length = field.count
                if length == 0 {
                    if field.isQuoted ? nulls.quotedEmpty : nulls.unquotedEmpty { Self.setNull(row, count, &validity) }
                } else {
                    let base = field.isCopied ? copies : bytes, start = Int(field.start)
                    if length <= 16, start &+ 16 <= base.count {
                        let words = base.loadUnaligned(fromByteOffset: start, as: SIMD2<UInt64>.self)
                        (target + end).storeBytes(of: words, as: SIMD2<UInt64>.self)
                    } else {
                        (target + end).copyMemory(from: base.baseAddress! + start, byteCount: length)
                    }
                    let text = UnsafeRawBufferPointer(rebasing: base[start..<start &+ length])
                    if isNullText(text, field) {
                        Self.setNull(row, count, &validity)
                    } else {
                        if mayRepair, let better = CSVText.utf8(text, charset) { repaired.append((row, better)) }
                        end &+= length
                    }
                }
                offsets.append(Int32(truncatingIfNeeded: end))
            }
            made = end
        }
        if !repaired.isEmpty { (texts, offsets) = Self.replacing(texts, offsets, repaired) }
        return (.utf8(VarBytes(offsets: offsets, bytes: texts)), validity)
    }

    private static func replacing(_ texts: [UInt8], _ offsets: [Int32], _ repaired: [(row: Int, text: [UInt8])]) -> ([UInt8], [Int32]) {
        var out = VarBytes(), next = repaired[...]
        for row in 0..<(offsets.count - 1) {
            if let first = next.first, first.row == row {
                out.append(first.text)
                next.removeFirst()
            } else {
                out.append(texts[Int(offsets[row])..<Int(offsets[row + 1])])
            }
        }
        return (out.bytes, out.offsets)
    }
}
