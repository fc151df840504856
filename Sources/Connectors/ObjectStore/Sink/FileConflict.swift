import ConnectAPI

/// What an object means that already has a file's name.
enum FileConflict {
    /// The very records: an answer was lost, or another task stored them.
    case sameFile
    /// The first of our records, and nothing follows: a request of a task that was killed arrived late. Ours holds them all.
    case replaceable
    /// Another file.
    case taken

    static func judge(_ file: FileIdentity, _ ours: FileFacts, at key: String, _ context: UploadContext) async throws -> FileConflict {
        let facts: FileFacts
        switch try await StoredFile.look(at: key, in: context.store) {
        case .absent: return .replaceable
        case .foreign:
            context.log.warn(
                "\(key) in \(context.store.place) was not written by this connector and is replaced: it has the name of a file from offset \(ours.start)")
            return .replaceable
        case .file(let found): facts = found
        }
        guard facts.beginsAs(ours) else { return .taken }
        if facts.end == ours.end { return .sameFile }
        guard facts.end < ours.end,
            let prefix = context.naming.prefix(topic: file.topic, partition: file.partition.partition, directory: file.directory)
        else { return .taken }
        let later = try await context.store.list(prefix, limit: 100_000).contains { name in
            context.naming.start(of: name, prefix: prefix).map { $0 > facts.start && $0 <= ours.end } ?? false
        }
        return later ? .taken : .replaceable
    }

    static func error(_ file: FileIdentity, _ ours: FileFacts, at key: String, _ context: UploadContext) -> ConnectorError {
        ConnectorError(
            "objectstore.conflict", .stop,
            "\(key) in \(context.store.place) exists and does not hold the records of \(file.partition) from offset \(ours.start) to \(ours.end)",
            hint:
                "Another connector writes to the same names, or the topic was created anew: give this one another topics.dir or move the old files away. If another task of this connector was just stopped, restart this one"
        )
    }
}
