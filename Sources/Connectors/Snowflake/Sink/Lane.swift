import ConnectAPI

/// The rows of one partition for one table: an open file, and how far an earlier run staged them.
final class Lane {
    let partition: TopicPartition
    let table: ObjectName
    let directory: String
    let storedUpTo: Int64
    private let isSnowpipe: Bool
    /// Files of an earlier run whose columns are not known yet: they are when the first of their records comes again.
    private var unresolved: [(number: Int, file: ListedFile, offsets: ClosedRange<Int64>)]

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

    init(
        partition: TopicPartition, table: ObjectName, directory: String, left: [(number: Int, file: ListedFile, offsets: ClosedRange<Int64>)], isSnowpipe: Bool
    ) {
        self.partition = partition
        self.table = table
        self.directory = directory
        storedUpTo = left.map(\.offsets.upperBound).max() ?? -1
        unresolved = left
        self.isSnowpipe = isSnowpipe
    }

    /// The files of an earlier run that have these columns, to be loaded again. Throws when records have passed a file whose columns never came.
    func resolve(_ columns: [TableColumn], at offset: Int64) throws -> [(number: Int, file: StagedFile)] {
        guard !unresolved.isEmpty else { return [] }
        let shape = StagedFile.shape(columns)
        func fits(_ file: ListedFile) -> Bool { StagedFile.shape(of: file.name).map { $0 == shape } ?? true }
        let found = unresolved.filter { fits($0.file) }
        unresolved.removeAll { fits($0.file) }
        if let passed = unresolved.first(where: { $0.offsets.upperBound < offset }) {
            throw ConnectorError(
                "snowflake.staged_otherwise", .stop,
                "The file \(directory)/\(passed.file.name) was staged by an earlier run with other columns for \(table) than its records have now",
                hint: "Restore the configuration it was staged with, or load the file by hand and REMOVE it from the stage")
        }
        return found.map { number, file, offsets in
            (
                number,
                StagedFile(
                    partition: partition, table: table, directory: directory, name: file.name, columns: columns, start: offsets.lowerBound,
                    end: offsets.upperBound,
                    rows: nil, size: file.size)
            )
        }
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
        let name = isSnowpipe ? "\(open.start)_\(open.end)_\(open.time).json.gz" : "\(open.start)-\(open.end)-\(StagedFile.shape(open.columns)).parquet"
        let file = StagedFile(
            partition: partition, table: table, directory: directory, name: name, columns: open.columns, start: open.start, end: open.end, rows: open.rows,
            size: body.count)
        return (file, body)
    }
}
