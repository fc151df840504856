import ConnectAPI

/// One of the parallel connections of a snapshot: runs COPY statements and cuts their rows into batches.
actor ChunkReader {
    private let connection: Connection
    private let batchRows: Int
    private let batchBytes: Int
    private var builder: SnapshotBatchBuilder?
    private var action = ""
    private var failures = 0

    private static let gatherBytes = 256 << 10

    /// Connects and takes part in the exported snapshot.
    init(_ parameters: ConnectionParameters, snapshot: String, batchRows: Int, batchBytes: Int) async throws {
        connection = try await Connection.open(parameters)
        self.batchRows = batchRows
        self.batchBytes = batchBytes
        try await connection.joinSnapshot(snapshot)
    }

    func start(_ statement: String, _ schema: TableSchema, _ info: SnapshotInfo) async throws {
        action = "Reading table \(schema.definition.schema).\(schema.definition.name)"
        try await connection.startCopy(statement, action)
        builder = SnapshotBatchBuilder(schema, info)
    }

    /// The next batch of the statement under way; nil at its end.
    func nextBatch() async throws -> RecordBatch? {
        guard var building = builder else { return nil }
        builder = nil
        while building.rowCount < batchRows, building.byteCount < batchBytes {
            guard let chunk = try await connection.nextCopyChunk(Self.gatherBytes, action) else {
                guard building.isAtEnd else {
                    throw ConnectorError("postgres.copy_cut", .retry, "\(action): the COPY stream ended before its trailer")
                }
                defer { failures += building.conversionFailures }
                return building.finish(processedNanos: WallClock.nanoseconds)
            }
            try chunk.withUnsafeBytes { try building.append($0) }
        }
        let batch = building.finish(processedNanos: WallClock.nanoseconds)
        builder = building
        return batch
    }

    /// Values that could not be converted since the last call.
    func takeConversionFailures() -> Int {
        defer { failures = 0 }
        return failures
    }

    func close() async { await connection.close() }
}

extension Connection {
    /// Begins a read-only transaction on an exported snapshot.
    func joinSnapshot(_ name: String) async throws {
        try await query(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT \(literal(name))", [], "Joining the exported snapshot")
    }
}
