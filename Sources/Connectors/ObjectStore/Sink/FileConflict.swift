import ConnectAPI

/// What an object means that already has a file's name.
///
/// Two tasks may write one partition at once: one that was given up and does not know it yet, a request of a killed one that arrives late. Both
/// begin at committed offsets, both create files only where there is none, and of one directory in the order of their offsets. So a directory's
/// files form one chain whoever wrote them: each begins at the first record after the end of the one before it. A file that is there is
/// never replaced: whoever meets one that was cut elsewhere drops what he holds, reads from the committed offset on and continues the chain.
enum FileConflict {
    /// The very records: an answer was lost, or another task stored them.
    case sameFile
    /// The same first record, another last one.
    case otherCut(FileFacts)
    /// Not written by this sink, or long ago by another: ours takes its place.
    case foreign
    /// A file of other records.
    case taken

    static func judge(_ file: FileIdentity, _ ours: FileFacts, at key: String, _ context: UploadContext) async throws -> FileConflict {
        switch try await StoredFile.look(at: key, in: context.store) {
        case .absent:
            throw ConnectorError("objectstore.conflict", .retry, "\(key) in \(context.store.place) exists and is gone again")
        case .foreign:
            context.log.warn(
                "\(key) in \(context.store.place) was not written by this connector and is replaced: it has the name of a file from offset \(ours.start)")
            return .foreign
        case .file(let found):
            guard found.beginsAs(ours) else { return .taken }
            return found.end == ours.end ? .sameFile : .otherCut(found)
        }
    }

    /// Not a failure: the task is made anew and finds what is stored.
    static func otherCut(_ file: FileIdentity, _ found: FileFacts, at key: String, _ context: UploadContext) -> ConnectorError {
        ConnectorError(
            "objectstore.other_cut", .restart,
            "\(key) in \(context.store.place) was stored by another task of this connector: \(file.partition) from offset \(found.start) to \(found.end)",
            hint: "The task goes on after it by itself; if this comes again and again, two workers run a connector of this name for one topic")
    }

    static func error(_ file: FileIdentity, _ ours: FileFacts, at key: String, _ context: UploadContext) -> ConnectorError {
        ConnectorError(
            "objectstore.conflict", .stop,
            "\(key) in \(context.store.place) exists and does not hold the records of \(file.partition) from offset \(ours.start) to \(ours.end)",
            hint:
                "Another connector writes to the same names, or the topic was created anew: give this one another topics.dir or move the old files away"
        )
    }
}
