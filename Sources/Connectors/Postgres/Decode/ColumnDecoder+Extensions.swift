import ConnectAPI

/// Types of the extensions PostGIS and pgvector, from their text and from their binary send formats.
///
///     geometry, geography   EWKB: byte order, type and flags (0x20000000: an SRID follows), [SRID], coordinates; text is its hexadecimal form
///     vector, halfvec       int16 dimensions, int16 unused, float4 or half each; text [1,2.5,3]
///     sparsevec             int32 dimensions, int32 entries, int32 unused, int32 index each (from 0), float4 each; text {1:1.5,3:2}/5 (from 1)
extension ColumnDecoder {
    func decodeGeometry(_ view: CellView, _ schema: Schema, filler: Value?, _ context: inout DecodeContext) -> Column {
        var marks = RowMarks(count: view.count, isRequired: filler != nil)
        var wkb = VarBytes(), srids: [Int32] = [], known: [Bool] = []
        for row in 0..<view.count {
            let cell = view[row], start = wkb.bytes.count
            var srid: Int32?
            if cell.length >= 0 {
                let isRead = Self.appendEWKB(view.value(cell), cell.isBinary, &wkb.bytes)
                if isRead, let found = wkb.bytes[start...].withUnsafeBytes(Self.srid) {
                    srid = found
                } else {
                    wkb.bytes.removeSubrange(start...)
                    context.failures += 1
                    marks.markNull(row)
                }
            } else {
                marks.mark(row, cell)
            }
            wkb.appendEmpty()
            srids.append(srid ?? 0)
            known.append(srid != nil)
        }
        let n = view.count, fields = schema.fields
        return Column(
            schema, count: n,
            .struct([
                Column(fields[0].schema, count: n, .binary(wkb)),
                Column(fields[1].schema, count: n, .int32(srids), validity: known.allSatisfy { $0 } ? nil : Bitmap(known)),
            ]), validity: marks.validity, unavailable: marks.unavailable)
    }

    private static func appendEWKB(_ text: UnsafeRawBufferPointer, _ isBinary: Bool, _ out: inout [UInt8]) -> Bool {
        if isBinary {
            out.append(contentsOf: text)
            return true
        }
        guard text.count % 2 == 0 else { return false }
        for i in stride(from: 0, to: text.count, by: 2) {
            guard let high = Hex.digit(text[i]), let low = Hex.digit(text[i + 1]) else { return false }
            out.append(high << 4 | low)
        }
        return true
    }

    /// The SRID of an EWKB value, `.some(nil)` where it has none; nil: it is no EWKB.
    private static func srid(_ bytes: UnsafeRawBufferPointer) -> Int32?? {
        guard bytes.count >= 5, bytes[0] <= 1 else { return nil }
        func number(_ at: Int) -> UInt32 {
            let raw = bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)
            return bytes[0] == 1 ? UInt32(littleEndian: raw) : UInt32(bigEndian: raw)
        }
        guard number(1) & 0x2000_0000 != 0 else { return .some(nil) }
        return bytes.count >= 9 ? Int32(bitPattern: number(5)) : nil
    }

    /// `isHalf`: halfvec, whose elements are FLOAT32.
    func decodeVector(isHalf: Bool, _ view: CellView, _ schema: Schema, filler: Value?, _ context: inout DecodeContext) -> Column {
        var marks = RowMarks(count: view.count, isRequired: filler != nil)
        var offsets: [Int32] = [0], values: [Double] = []
        for row in 0..<view.count {
            let cell = view[row], start = values.count
            if cell.length >= 0 {
                let isRead = cell.isBinary ? Self.appendVector(view.value(cell), isHalf, &values) : Self.appendVectorText(view.value(cell), &values)
                if !isRead {
                    values.removeSubrange(start...)
                    context.failures += 1
                    marks.markNull(row)
                }
            } else {
                marks.mark(row, cell)
            }
            offsets.append(Int32(truncatingIfNeeded: values.count))
        }
        let element = schema.element!
        let storage: Column.Storage = isHalf ? .float32(values.map { Float($0) }) : .float64(values)
        return Column(
            schema, count: view.count, .list(offsets: offsets, Column(element, count: values.count, storage)), validity: marks.validity,
            unavailable: marks.unavailable)
    }

    private static func appendVector(_ bytes: UnsafeRawBufferPointer, _ isHalf: Bool, _ out: inout [Double]) -> Bool {
        var cursor = ByteCursor(bytes)
        do throws(MalformedMessage) {
            let count = Int(try cursor.int16())
            try cursor.skip(2)
            guard count >= 0, cursor.remaining == count * (isHalf ? 2 : 4) else { return false }
            for _ in 0..<count {
                if isHalf {
                    out.append(halfPrecision(UInt16(bitPattern: try cursor.int16())))
                } else {
                    out.append(decimalDouble(Float(bitPattern: try cursor.uint32())))
                }
            }
            return true
        } catch {
            return false
        }
    }

    /// Debezium parses the text of a vector as doubles: 0.1 is 0.1, not the float nearest to it.
    private static func decimalDouble(_ value: Float) -> Double { value.isFinite ? Double(value.description) ?? Double(value) : Double(value) }

    private static func halfPrecision(_ bits: UInt16) -> Double {
        let sign: Double = bits >> 15 == 0 ? 1 : -1, exponent = Int(bits >> 10 & 0x1F), fraction = Double(bits & 0x3FF)
        switch exponent {
        case 0: return sign * fraction * 0x1p-24
        case 31: return fraction == 0 ? sign * .infinity : .nan
        default: return sign * Double(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024)
        }
    }

    private static func appendVectorText(_ text: UnsafeRawBufferPointer, _ out: inout [Double]) -> Bool {
        guard text.count >= 2, text[0] == UInt8(ascii: "["), text[text.count - 1] == UInt8(ascii: "]") else { return false }
        let inner = text[1..<text.count - 1]
        if inner.isEmpty { return true }
        for part in inner.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            guard let value = FloatText.double(UnsafeRawBufferPointer(rebasing: part)) else { return false }
            out.append(value)
        }
        return true
    }

    func decodeSparseVector(_ view: CellView, _ schema: Schema, filler: Value?, _ context: inout DecodeContext) -> Column {
        var marks = RowMarks(count: view.count, isRequired: filler != nil)
        var dimensions: [Int32] = [], offsets: [Int32] = [0], indices: [Int32] = [], values: [Double] = []
        for row in 0..<view.count {
            let cell = view[row]
            var vector = SparseVector()
            if cell.length >= 0 {
                let isRead = cell.isBinary ? vector.read(binary: view.value(cell)) : vector.read(text: view.value(cell))
                if !isRead {
                    vector = SparseVector()
                    context.failures += 1
                    marks.markNull(row)
                }
            } else {
                marks.mark(row, cell)
            }
            dimensions.append(Int32(vector.dimensions))
            for i in JavaHashMap.order(vector.entries.map { UInt32(bitPattern: Int32($0.index)) }) {
                indices.append(Int32(vector.entries[i].index))
                values.append(vector.entries[i].value)
            }
            offsets.append(Int32(truncatingIfNeeded: indices.count))
        }
        let n = view.count, fields = schema.fields, map = fields[1].schema
        return Column(
            schema, count: n,
            .struct([
                Column(fields[0].schema, count: n, .int32(dimensions)),
                Column(
                    map, count: n,
                    .map(
                        offsets: offsets, keys: Column(map.key!, count: indices.count, .int32(indices)),
                        values: Column(map.element!, count: values.count, .float64(values)))),
            ]), validity: marks.validity, unavailable: marks.unavailable)
    }

    /// pgvector's sparsevec; Debezium's schema has room for indices and dimensions of 16 bits only.
    private struct SparseVector {
        var dimensions: Int16 = 0
        /// From 1.
        var entries: [(index: Int16, value: Double)] = []

        mutating func read(binary bytes: UnsafeRawBufferPointer) -> Bool {
            var cursor = ByteCursor(bytes)
            do throws(MalformedMessage) {
                guard let dimensions = Int16(exactly: try cursor.int32()) else { return false }
                self.dimensions = dimensions
                let count = Int(try cursor.int32())
                try cursor.skip(4)
                guard count >= 0, cursor.remaining == count * 8 else { return false }
                for _ in 0..<count {
                    let (next, overflow) = try cursor.int32().addingReportingOverflow(1)
                    guard !overflow, let index = Int16(exactly: next) else { return false }
                    entries.append((index, 0))
                }
                for i in 0..<count { entries[i].value = ColumnDecoder.decimalDouble(Float(bitPattern: try cursor.uint32())) }
                return true
            } catch {
                return false
            }
        }

        mutating func read(text: UnsafeRawBufferPointer) -> Bool {
            guard text.first == UInt8(ascii: "{"), let close = text.firstIndex(of: UInt8(ascii: "}")), close + 1 < text.count,
                text[close + 1] == UInt8(ascii: "/"),
                let dimensions = IntegerText.parse(UnsafeRawBufferPointer(rebasing: text[(close + 2)...])).flatMap(Int16.init(exactly:))
            else { return false }
            self.dimensions = dimensions
            for entry in text[1..<close].split(separator: UInt8(ascii: ",")) {
                guard let colon = entry.firstIndex(of: UInt8(ascii: ":")),
                    let index = IntegerText.parse(UnsafeRawBufferPointer(rebasing: entry[..<colon])).flatMap(Int16.init(exactly:)),
                    let value = FloatText.double(UnsafeRawBufferPointer(rebasing: entry[(colon + 1)...]))
                else { return false }
                entries.append((index, value))
            }
            return true
        }
    }
}
