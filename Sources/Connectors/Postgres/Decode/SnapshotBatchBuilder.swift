import ConnectAPI

/// Turns a COPY (FORMAT binary) stream of `TableSchema.snapshotColumns` into batches of read events.
///
///     CopyData bytes, cut anywhere ──append──▶ header? │ tuple │ tuple │ … │ trailer    complete tuples become rows
///                                                     └ an incomplete tail waits for more bytes
///
/// Values are binary where the type has a binary decoder, else the text of the column cast to text: the text itself in COPY's binary frame.
struct SnapshotBatchBuilder {
    let schema: TableSchema
    let info: SnapshotInfo
    private var store: TupleStore
    private var rows = EnvelopeRows()
    /// First stored byte that is not part of a complete tuple.
    private var parsed = 0
    private var sawHeader = false
    /// The trailer was read: the stream is complete.
    private(set) var isAtEnd = false
    private(set) var conversionFailures = 0
    private let textual: [Bool]

    init(_ schema: TableSchema, _ info: SnapshotInfo) {
        self.schema = schema
        self.info = info
        store = TupleStore(width: schema.columns.count)
        textual = schema.columns.map { !$0.hasBinaryDecoder }
    }

    var rowCount: Int { rows.count }
    /// Bytes held until `finish`.
    var byteCount: Int { store.byteCount + rows.byteCount }

    /// Adds bytes of the stream, as they come. Throws `postgres.malformed_message`.
    mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
        _ = try store.store(bytes)
        try parse()
    }

    private mutating func parse() throws {
        var shared = ChangeInfo()
        shared.lsn = info.lsn
        shared.xid = info.xid
        shared.commitMicros = info.startedMicros
        shared.lastCommitLSN = info.lastCommitLSN
        let stored = store.bytes
        try stored.withUnsafeBytes { bytes in
            if !sawHeader {
                guard let length = try Self.headerLength(bytes) else { return }
                parsed = length
                sawHeader = true
            }
            while !isAtEnd, bytes.count - parsed >= 2 {
                let found = Int(Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: parsed, as: Int16.self)))
                if found == -1 {
                    isAtEnd = true
                    parsed += 2
                    return
                }
                guard found == store.width else { throw malformed(parsed, bytes) }
                let tuple = try appendTuple(bytes)
                guard tuple != 0 else { return }
                rows.append(before: 0, after: tuple, key: tuple, .read, shared)
            }
        }
    }

    private static let signature: [UInt8] = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]

    /// nil: more bytes are needed.
    private static func headerLength(_ bytes: UnsafeRawBufferPointer) throws -> Int? {
        guard bytes.count >= 19 else { return nil }
        guard bytes.prefix(11).elementsEqual(signature) else { throw MalformedMessage(at: 0, of: bytes.count).located(in: "COPY header") }
        let length = 19 + Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 15, as: UInt32.self)))
        return bytes.count >= length ? length : nil
    }

    /// Adds the cells of the tuple at `parsed` and moves on to the next; 0: it is not complete yet.
    @inline(__always)
    private mutating func appendTuple(_ bytes: UnsafeRawBufferPointer) throws -> Int32 {
        var at = parsed + 2, isMalformed = false
        let tuple = store.appendTuple { cells in
            for column in 0..<cells.count {
                guard bytes.count - at >= 4 else { return false }
                let length = Int(Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: Int32.self)))
                at += 4
                if length < 0 {
                    cells[column] = .null
                    isMalformed = isMalformed || length != -1
                    continue
                }
                guard bytes.count - at >= length else { return false }
                cells[column] = Cell(at: at, length: length, isBinary: !textual[column])
                at += length
            }
            return true
        }
        if isMalformed { throw malformed(parsed, bytes) }
        if tuple != 0 { parsed = at }
        return tuple
    }

    private func malformed(_ at: Int, _ bytes: UnsafeRawBufferPointer) -> ConnectorError {
        MalformedMessage(at: at, of: bytes.count).located(
            in: "COPY stream of \(schema.definition.schema).\(schema.definition.name) (its tuples must have \(store.width) columns)")
    }

    /// The batch of the complete rows so far, or nil; a tuple that has only begun stays for the next batch.
    ///
    /// - Parameters:
    ///   - processedNanos: the connector's clock, nanoseconds since 1970.
    ///   - first: marks the first row; rows between are `true`.
    ///   - last: marks the last row; of two marks on one row the higher-ranking stands.
    ///   - marker: what every other row has: `true`, or `incremental`.
    mutating func finish(
        processedNanos: Int64, first: SnapshotMarker? = nil, last: SnapshotMarker? = nil, marker: SnapshotMarker = .true
    ) -> RecordBatch? {
        guard rows.count > 0 else { return nil }
        rows.setProcessed(processedNanos)
        let markers = SnapshotMarker.column(count: rows.count, marker, first: first, last: last)
        let (batch, failures) = EnvelopeAssembler(
            schema: schema, store: store, origin: .snapshot, rows: rows, snapshot: markers, showsLSN: !info.isIncremental
        ).batch()
        conversionFailures += failures
        let tail = Array(store.bytes[parsed...])
        rows.removeAll()
        store.removeAll()
        parsed = 0
        _ = try? tail.withUnsafeBytes { try store.store($0) }
        return batch
    }
}

extension SnapshotMarker {
    static func column(count: Int, _ marker: SnapshotMarker, first: SnapshotMarker?, last: SnapshotMarker?) -> Column {
        let schema = DebeziumSchemas.snapshot
        if first == nil, last == nil { return .constant(.string(marker.rawValue), schema, count: count) }
        var marks = Array(repeating: marker, count: count)
        if let first { marks[0] = max(marks[0], first) }
        if let last { marks[count - 1] = max(marks[count - 1], last) }
        return Column(schema, marks.map { .string($0.rawValue) })
    }
}

extension RecordBatch {
    /// The same snapshot batch with another mark on one row: the last row of a snapshot is known only when no table is left.
    func settingSnapshotMarker(_ marker: SnapshotMarker, row: Int) -> RecordBatch {
        guard let value, case .struct(let members) = value.storage, let at = value.schema.index(of: "source"),
            case .struct(let parts) = members[at].storage, let mark = members[at].schema.index(of: "snapshot")
        else { return self }
        var marks = (0..<count).map { parts[mark][$0] }
        marks[row] = .string(marker.rawValue)
        var newParts = parts, newMembers = members
        newParts[mark] = Column(parts[mark].schema, marks)
        newMembers[at] = Column(members[at].schema, count: count, .struct(newParts), validity: members[at].validity)
        var out = self
        out.value = Column(value.schema, count: count, .struct(newMembers), validity: value.validity)
        return out
    }
}
