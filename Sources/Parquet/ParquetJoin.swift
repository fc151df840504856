package import ConnectAPI

/// Makes one Parquet file of several of one schema: their row groups are copied byte by byte, and a footer is written that says where they are now.
///
///     PAR1 │ row groups of a │ index │ footer │         PAR1 │ row groups of b │ index │ footer │
///            └── as they are ──┐                                └── as they are ──┐
///                        PAR1 │ row groups of a                │ row groups of b  │ footer: both, b's offsets moved │
///
/// No page is decoded: codecs, encodings, statistics and bloom filters stay what they are. The page index is left behind: it speaks of pages, of which
/// small files have few. What a footer says of offsets and lengths is checked against the file, and files with encrypted or outside columns are
/// refused. Source: `parquet.thrift`.
package struct ParquetJoin: Sendable {
    /// How every file begins.
    package static let magic = Array("PAR1".utf8)

    private let elements: ArraySlice<UInt8>
    private let orders: ArraySlice<UInt8>
    private var groups: [UInt8] = []
    private var groupCount = 0
    package private(set) var rows: Int64 = 0
    /// The file's length so far, without its footer: where the next row groups go.
    package private(set) var byteCount = Int64(magic.count)

    /// A file with the schema of this one, which is not in it yet.
    package init(like footer: ParquetFooter) { (elements, orders) = (footer.elements, footer.orders) }

    /// Bytes of memory held, for budgets.
    package var heldBytes: Int { groups.capacity + elements.count + orders.count }

    /// Takes a file's row groups. Returns where they lie in it: these bytes come next in the joined file.
    package mutating func add(_ footer: ParquetFooter) throws(ConnectorError) -> Range<Int64> {
        guard footer.elements.elementsEqual(elements), footer.orders.elementsEqual(orders) else { throw Self.refusal("it has another schema") }
        if footer.elements.isEmpty { throw Self.refusal("its footer has no schema") }
        if footer.isEncrypted { throw Self.refusal("it is encrypted") }
        do throws(ThriftReader.Malformed) {
            var move = RowGroupMove(by: byteCount - Int64(Self.magic.count), end: footer.start, firstOrdinal: groupCount)
            var thrift = ThriftWriter()
            let count = try move.write(footer.groups, to: &thrift)
            guard move.rows == footer.rows, case let (sum, overflow) = rows.addingReportingOverflow(footer.rows), !overflow else {
                throw ThriftReader.Malformed()
            }
            thrift.buffer.bytes.withMemoryRebound(to: UInt8.self) { groups.append(contentsOf: $0) }
            groupCount += count
            rows = sum
            byteCount += move.dataEnd - Int64(Self.magic.count)
            return Int64(Self.magic.count)..<move.dataEnd
        } catch {
            throw Self.refusal("its footer says what cannot be")
        }
    }

    /// The footer, with which the file ends.
    package func finish(_ pairs: [(key: String, value: String)]) -> [UInt8] {
        var thrift = ThriftWriter()
        thrift.element { out in
            out.i32(1, 1)
            out.raw(2, .list, elements)
            out.i64(3, Int(rows))
            out.structures(4, count: groupCount)
            out.append(groups)
            out.structures(5, pairs) {
                $0.string(1, $1.key)
                $0.string(2, $1.value)
            }
            out.string(6, ParquetOptions().createdBy)
            if !orders.isEmpty { out.raw(7, .list, orders) }
        }
        var bytes = Array(thrift.buffer.bytes)
        withUnsafeBytes(of: UInt32(bytes.count).littleEndian) { bytes += $0 }
        return bytes + Self.magic
    }

    private static func refusal(_ why: String) -> ConnectorError { ConnectorError("parquet.not_joinable", .stop, "A Parquet file cannot be joined: \(why)") }
}

/// Writes row groups as they are, but for the offsets.
private struct RowGroupMove {
    private let distance: Int64
    /// Row groups end here at the latest.
    private let end: Int64
    private var ordinal: Int
    private(set) var rows: Int64 = 0
    /// Where the bytes that belong to row groups end: pages and bloom filters.
    private(set) var dataEnd = Int64(ParquetJoin.magic.count)

    typealias Malformed = ThriftReader.Malformed

    init(by distance: Int64, end: Int64, firstOrdinal: Int) { (self.distance, self.end, ordinal) = (distance, end, firstOrdinal) }

    /// Returns how many there are.
    mutating func write(_ groups: ArraySlice<UInt8>, to out: inout ThriftWriter) throws(Malformed) -> Int {
        // A file without rows may lack the list.
        if groups.isEmpty { return 0 }
        var reader = ThriftReader(groups)
        let (kind, count) = try reader.listHeader()
        guard count == 0 || kind == .structure else { throw Malformed() }
        for _ in 0..<count {
            try out.element { (out) throws(Malformed) in try group(&reader, to: &out) }
            ordinal += 1
        }
        return count
    }

    /// Source: RowGroup.
    private mutating func group(_ reader: inout ThriftReader, to out: inout ThriftWriter) throws(Malformed) {
        var count: Int64?, chunks: Int?
        try reader.structure { (reader, id, kind) throws(Malformed) in
            switch (id, kind) {
            case (1, .list):
                let (element, found) = try reader.listHeader()
                guard element == .structure, chunks == nil else { throw Malformed() }
                chunks = found
                out.structures(1, count: found)
                for _ in 0..<found { try out.element { (out) throws(Malformed) in try chunk(&reader, to: &out) } }
            case (3, .i64):
                let found = try reader.integer()
                guard found >= 0, count == nil else { throw Malformed() }
                count = found
                out.i64(3, Int(found))
            case (5, .i64): out.i64(5, Int(try moved(try reader.integer())))
            case (7, .i16):
                _ = try reader.integer()
                if let ordinal = Int16(exactly: ordinal) { out.i16(7, ordinal) }
            default: out.raw(id, kind, try reader.raw(kind))
            }
            return true
        }
        guard let count, chunks != nil, case let (sum, overflow) = rows.addingReportingOverflow(count), !overflow else { throw Malformed() }
        rows = sum
    }

    /// Source: ColumnChunk. The places of the page index (4 to 7) are left out.
    private mutating func chunk(_ reader: inout ThriftReader, to out: inout ThriftWriter) throws(Malformed) {
        var hasMetadata = false
        try reader.structure { (reader, id, kind) throws(Malformed) in
            switch (id, kind) {
            // Of another file, or encrypted.
            case (1, _), (8, _), (9, _): throw Malformed()
            case (2, .i64): out.i64(2, Int(try moved(try reader.integer())))
            case (3, .structure):
                guard !hasMetadata else { throw Malformed() }
                hasMetadata = true
                try out.structure(3) { (out) throws(Malformed) in try metadata(&reader, to: &out) }
            case (4...7, _): _ = try reader.raw(kind)
            default: out.raw(id, kind, try reader.raw(kind))
            }
            return true
        }
        guard hasMetadata else { throw Malformed() }
    }

    /// Source: ColumnMetaData.
    private mutating func metadata(_ reader: inout ThriftReader, to out: inout ThriftWriter) throws(Malformed) {
        var first: Int64?, size: Int64?, filter: Int64?, filterSize: Int64?
        try reader.structure { (reader, id, kind) throws(Malformed) in
            switch (id, kind) {
            case (7, .i64):
                size = try reader.integer()
                out.i64(7, Int(size!))
            case (9, .i64), (10, .i64), (11, .i64):
                let offset = try reader.integer()
                out.i64(id, Int(try moved(offset)))
                if offset != 0 { first = min(first ?? offset, offset) }
            case (14, .i64): filter = try reader.integer()
            case (15, .i32): filterSize = try reader.integer()
            default: out.raw(id, kind, try reader.raw(kind))
            }
            return true
        }
        guard let first, let size else { throw Malformed() }
        try contains(first, size)
        // Without a length nobody knows where a filter ends: readers do without it.
        if let filter, let filterSize {
            try contains(filter, filterSize)
            out.i64(14, Int(filter + distance))
            out.i32(15, Int(filterSize))
        }
    }

    /// An offset in the joined file, which reaches as far. 0 is what some writers say for none.
    private mutating func moved(_ offset: Int64) throws(Malformed) -> Int64 {
        if offset == 0 { return 0 }
        guard offset >= ParquetJoin.magic.count, offset <= end else { throw Malformed() }
        dataEnd = max(dataEnd, offset)
        return offset + distance
    }

    private mutating func contains(_ offset: Int64, _ size: Int64) throws(Malformed) {
        guard offset >= ParquetJoin.magic.count, size >= 0, case let (last, overflow) = offset.addingReportingOverflow(size), !overflow, last <= end else {
            throw Malformed()
        }
        dataEnd = max(dataEnd, last)
    }
}
