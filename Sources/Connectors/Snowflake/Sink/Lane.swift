import ConnectAPI

/// The rows of one partition for one table: an open file, and how far an earlier run staged them.
final class Lane {
    let partition: TopicPartition
    let table: ObjectName
    let directory: String
    let storedUpTo: Int64
    private let isSnowpipe: Bool

    private struct Open {
        let file: RowFile
        let columns: [TableColumn]
        let schema: Schema
        let start: Int64
        var end: Int64
        /// Milliseconds of the last record.
        var time: Int64
        var rows = 0
    }
    private var open: Open?

    init(partition: TopicPartition, table: ObjectName, directory: String, storedUpTo: Int64, isSnowpipe: Bool) {
        self.partition = partition
        self.table = table
        self.directory = directory
        self.storedUpTo = storedUpTo
        self.isSnowpipe = isSnowpipe
    }

    var hasRows: Bool { open != nil }
    var bufferedBytes: Int { open?.file.bufferedBytes ?? 0 }

    /// Whether the open file is of other columns than these rows.
    func changesShape(_ rows: TableRows) -> Bool {
        guard let open, !isSnowpipe else { return false }
        return open.columns != rows.columns || open.schema != rows.values.schema
    }

    /// Snowpipe's members as Snowflake's connector names them.
    private static let members = ["RECORD_CONTENT": "content", "RECORD_METADATA": "meta"]

    func append(_ rows: Column, _ columns: [TableColumn], from start: Int64, to end: Int64, _ timestamps: Column, row: Int) throws {
        if open == nil {
            // Kept only once it took a row.
            let file: RowFile = isSnowpipe ? .lines(RowLines(names: Self.members, compressed: true)) : try .parquet(rows.schema)
            try file.append(rows)
            open = Open(file: file, columns: columns, schema: rows.schema, start: start, end: end, time: 0)
        } else {
            try open?.file.append(rows)
        }
        open?.end = end
        open?.time = timestamps[row].integerValue ?? 0
        open?.rows += rows.count
    }

    /// Ends the file.
    func finish() throws -> (StagedFile, [UInt8]) {
        guard let open else { preconditionFailure("a lane without rows has no file") }
        self.open = nil
        let body = try open.file.finish()
        // Snowflake's connector ends its names with a time; the last record's makes them the same every time.
        let name = isSnowpipe ? "\(open.start)_\(open.end)_\(open.time).json.gz" : "\(open.start)-\(open.end).parquet"
        let file = StagedFile(
            partition: partition, table: table, directory: directory, name: name, columns: open.columns, start: open.start, end: open.end, rows: open.rows,
            size: body.count)
        return (file, body)
    }
}
