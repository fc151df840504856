import ConnectAPI

/// What the stream says of one change apart from its values; becomes the `source` block and the envelope's times.
struct ChangeInfo: Sendable {
    /// The LSN of the change itself (the frame's start), not of its commit.
    var lsn: UInt64 = 0
    /// nil: outside a transaction (a non-transactional logical message).
    var xid: UInt32?
    /// Microseconds since 1970 at which the transaction committed.
    var commitMicros: Int64 = 0
    /// The end LSN of the last commit seen before this transaction; nil before any.
    var lastCommitLSN: UInt64?
    /// Nanoseconds since 1970 of the connector's clock; one reading may serve a whole gathering of changes.
    var processedNanos: Int64 = 0
    /// `provide.transaction.metadata`: the number of the event in its transaction and in its table's part of it, from 1; 0: no metadata.
    var totalOrder: Int64 = 0
    var collectionOrder: Int64 = 0

    init() {}
}

/// `source.snapshot`, in the order in which one mark outranks another on the same record.
enum SnapshotMarker: String, Sendable, Comparable {
    case `true`
    case firstInDataCollection = "first_in_data_collection"
    case lastInDataCollection = "last_in_data_collection"
    case first, last, incremental

    private var rank: Int {
        switch self {
        case .true: 0
        case .firstInDataCollection: 1
        case .lastInDataCollection: 2
        case .first: 3
        case .last: 4
        case .incremental: 5
        }
    }
    static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
}

/// What all rows of one table's snapshot share.
struct SnapshotInfo: Sendable {
    /// The consistent point the snapshot was taken at.
    var lsn: UInt64
    var xid: UInt32?
    /// Microseconds since 1970 of the database's clock when the table's scan began.
    var startedMicros: Int64
    /// An incremental snapshot's rows have no LSN of their own, but the last commit's in their sequence.
    var isIncremental = false
    var lastCommitLSN: UInt64?

    init(lsn: UInt64, xid: UInt32?, startedMicros: Int64) {
        self.lsn = lsn
        self.xid = xid
        self.startedMicros = startedMicros
    }
}

/// The constants of a connector's records: the source block and the context headers.
struct SourceIdentity: Sendable, Hashable {
    /// The Debezium version our records are equal to.
    static let debeziumVersion = "3.3.1.Final"

    var version = SourceIdentity.debeziumVersion
    /// `topic.prefix`
    var name: String
    var database: String
    var task = "0"
    /// `extended.headers.enabled`
    var writesContextHeaders = true

    init(name: String, database: String) {
        self.name = name
        self.database = database
    }

    /// `__debezium.context.*`, the same on every record of a table.
    func contextHeaders(count: Int) -> [HeaderColumn] {
        guard writesContextHeaders else { return [] }
        let text = Schema(.string)
        return [
            HeaderColumn("__debezium.context.connectorLogicalName", .constant(.string(name), text, count: count)),
            HeaderColumn("__debezium.context.taskId", .constant(.string(task), text, count: count)),
            HeaderColumn("__debezium.context.connectorName", .constant("postgresql", text, count: count)),
        ]
    }
}
