import ConnectAPI

/// One message of the pgoutput plugin, protocol versions 1 and 2.
///
/// Row changes are not taken apart here: a `RowChange` says where its tuples begin, and the batch builder walks them once, straight into
/// its cell table. Parsing a row change allocates nothing.
enum PgOutputMessage {
    case begin(Begin)
    case commit(Commit)
    case origin(commitLSN: UInt64, name: String)
    case relation(RelationMessage)
    case type(oid: UInt32, schema: String, name: String)
    case change(RowChange)
    case truncate(Truncate)
    case message(LogicalMessage)
    case streamStart(xid: UInt32, isFirstSegment: Bool)
    case streamStop
    case streamCommit(xid: UInt32, Commit)
    case streamAbort(xid: UInt32, subtransaction: UInt32)

    struct Begin {
        /// The LSN of the commit record to come.
        let finalLSN: UInt64
        let commitMicros: Int64
        let xid: UInt32
    }

    struct Commit {
        let commitLSN: UInt64
        /// The LSN after the commit record: what is acknowledged once the transaction is durable.
        let endLSN: UInt64
        let commitMicros: Int64
    }

    struct Truncate {
        let relations: [UInt32]
        let cascade: Bool
        let restartIdentity: Bool
    }

    /// Parses one message; `inStream` says that it stands between Stream Start and Stream Stop, where most messages carry an xid.
    static func parse(_ bytes: UnsafeRawBufferPointer, inStream: Bool = false) throws -> PgOutputMessage {
        do {
            return try parse(cursor: ByteCursor(bytes), inStream: inStream)
        } catch {
            throw error.located(in: "pgoutput message \(bytes.first.map { "'\(Character(Unicode.Scalar($0)))'" } ?? "of no bytes")")
        }
    }

    @inline(__always)
    private static func parse(cursor start: ByteCursor, inStream: Bool) throws(MalformedMessage) -> PgOutputMessage {
        var cursor = start
        let tag = try cursor.uint8()
        switch tag {
        case UInt8(ascii: "I"), UInt8(ascii: "U"), UInt8(ascii: "D"):
            return .change(try RowChange(tag: tag, &cursor, inStream: inStream))
        case UInt8(ascii: "B"):
            let final = try cursor.uint64(), time = try cursor.int64(), xid = try cursor.uint32()
            return .begin(Begin(finalLSN: final, commitMicros: time &+ PostgresEpoch.micros, xid: xid))
        case UInt8(ascii: "C"): return .commit(try commit(&cursor))
        case UInt8(ascii: "O"): return .origin(commitLSN: try cursor.uint64(), name: try cursor.cString())
        case UInt8(ascii: "R"): return .relation(try RelationMessage(&cursor, inStream: inStream))
        case UInt8(ascii: "Y"):
            if inStream { try cursor.skip(4) }
            return .type(oid: try cursor.uint32(), schema: try cursor.cString(), name: try cursor.cString())
        case UInt8(ascii: "T"): return .truncate(try truncate(&cursor, inStream: inStream))
        case UInt8(ascii: "M"): return .message(try LogicalMessage(&cursor, inStream: inStream))
        case UInt8(ascii: "S"): return .streamStart(xid: try cursor.uint32(), isFirstSegment: try cursor.uint8() != 0)
        case UInt8(ascii: "E"): return .streamStop
        case UInt8(ascii: "c"):
            let xid = try cursor.uint32()
            return .streamCommit(xid: xid, try commit(&cursor))
        case UInt8(ascii: "A"): return .streamAbort(xid: try cursor.uint32(), subtransaction: try cursor.uint32())
        default: throw MalformedMessage(at: 0, of: cursor.bytes.count)
        }
    }

    private static func commit(_ cursor: inout ByteCursor) throws(MalformedMessage) -> Commit {
        try cursor.skip(1)
        let commit = try cursor.uint64(), end = try cursor.uint64(), time = try cursor.int64()
        return Commit(commitLSN: commit, endLSN: end, commitMicros: time &+ PostgresEpoch.micros)
    }

    private static func truncate(_ cursor: inout ByteCursor, inStream: Bool) throws(MalformedMessage) -> Truncate {
        if inStream { try cursor.skip(4) }
        let count = try cursor.int32(), options = try cursor.uint8()
        guard count >= 0, Int(count) <= cursor.remaining / 4 else { throw MalformedMessage(at: cursor.position, of: cursor.bytes.count) }
        var relations: [UInt32] = []
        for _ in 0..<count { relations.append(try cursor.uint32()) }
        return Truncate(relations: relations, cascade: options & 1 != 0, restartIdentity: options & 2 != 0)
    }
}

/// An insert, update or delete: where its tuples stand in the message.
struct RowChange {
    enum Kind: UInt8 { case insert, update, delete }
    let kind: Kind
    let relation: UInt32
    /// The subtransaction, inside a streamed transaction; else 0.
    let xid: UInt32
    /// Offset of the old tuple in the message; -1: none was sent.
    let oldTuple: Int
    /// The old tuple is the whole row (REPLICA IDENTITY FULL), not only its identity columns.
    let oldIsFull: Bool
    /// Offset of the new tuple; -1 for a delete.
    let newTuple: Int

    @inline(__always)
    fileprivate init(tag: UInt8, _ cursor: inout ByteCursor, inStream: Bool) throws(MalformedMessage) {
        xid = inStream ? try cursor.uint32() : 0
        relation = try cursor.uint32()
        var marker = try cursor.uint8()
        var old = -1, full = false
        if tag != UInt8(ascii: "I"), marker != UInt8(ascii: "N") {
            guard marker == UInt8(ascii: "K") || marker == UInt8(ascii: "O") else {
                throw MalformedMessage(at: cursor.position - 1, of: cursor.bytes.count)
            }
            full = marker == UInt8(ascii: "O")
            old = cursor.position
            if tag == UInt8(ascii: "U") {
                try Self.skipTuple(&cursor)
                marker = try cursor.uint8()
            }
        }
        oldTuple = old
        oldIsFull = full
        if tag == UInt8(ascii: "D") {
            guard old >= 0 else { throw MalformedMessage(at: cursor.position - 1, of: cursor.bytes.count) }
            kind = .delete
            newTuple = -1
        } else {
            guard marker == UInt8(ascii: "N") else { throw MalformedMessage(at: cursor.position - 1, of: cursor.bytes.count) }
            kind = tag == UInt8(ascii: "I") ? .insert : .update
            newTuple = cursor.position
        }
    }

    private static func skipTuple(_ cursor: inout ByteCursor) throws(MalformedMessage) {
        for _ in 0..<max(0, try cursor.int16()) {
            switch try cursor.uint8() {
            case UInt8(ascii: "n"), UInt8(ascii: "u"): break
            case UInt8(ascii: "t"), UInt8(ascii: "b"): try cursor.skip(Int(try cursor.int32()))
            default: throw MalformedMessage(at: cursor.position - 1, of: cursor.bytes.count)
            }
        }
    }
}

/// What the stream says of a table, before the first change that uses it and after every change of its definition.
struct RelationMessage: Sendable, Hashable {
    struct Column: Sendable, Hashable {
        let name: String
        let isIdentity: Bool
        let typeOID: UInt32
        let typeModifier: Int32
    }
    let oid: UInt32
    let schema: String
    let name: String
    /// `relreplident`: d, n, f, i.
    let replicaIdentity: Character
    let columns: [Column]

    init(oid: UInt32, schema: String, name: String, replicaIdentity: Character, columns: [Column]) {
        self.oid = oid
        self.schema = schema
        self.name = name
        self.replicaIdentity = replicaIdentity
        self.columns = columns
    }

    fileprivate init(_ cursor: inout ByteCursor, inStream: Bool) throws(MalformedMessage) {
        if inStream { try cursor.skip(4) }
        oid = try cursor.uint32()
        let namespace = try cursor.cString()
        schema = namespace.isEmpty ? "pg_catalog" : namespace
        name = try cursor.cString()
        replicaIdentity = Character(Unicode.Scalar(try cursor.uint8()))
        var columns: [Column] = []
        for _ in 0..<max(0, try cursor.int16()) {
            let flags = try cursor.uint8(), name = try cursor.cString(), type = try cursor.uint32(), modifier = try cursor.int32()
            columns.append(Column(name: name, isIdentity: flags & 1 != 0, typeOID: type, typeModifier: modifier))
        }
        self.columns = columns
    }
}

/// What `pg_logical_emit_message` wrote.
struct LogicalMessage: Sendable {
    let isTransactional: Bool
    let lsn: UInt64
    let prefix: String
    let content: [UInt8]

    init(isTransactional: Bool, lsn: UInt64, prefix: String, content: [UInt8]) {
        self.isTransactional = isTransactional
        self.lsn = lsn
        self.prefix = prefix
        self.content = content
    }

    fileprivate init(_ cursor: inout ByteCursor, inStream: Bool) throws(MalformedMessage) {
        if inStream { try cursor.skip(4) }
        isTransactional = try cursor.uint8() & 1 != 0
        lsn = try cursor.uint64()
        prefix = try cursor.cString()
        content = Array(try cursor.take(Int(try cursor.int32())))
    }
}
