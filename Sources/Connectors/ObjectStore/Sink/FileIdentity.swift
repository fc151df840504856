import ConnectAPI

/// What is known of a file when its first record comes; the rest are its `FileFacts`.
struct FileIdentity: Sendable {
    /// Counts files of the task.
    let number: Int
    let partition: TopicPartition
    let topic: String
    let directory: String
    let start: Int64
    let startTimestamp: Int64
    /// Milliseconds that the name shows: of the record at `start` as the partitioner sees its time.
    let nameTime: Int64
    let connector: String
    /// Files of tombstones hold keys, all others values.
    let kind: FileNaming.Kind
    let contentType: String
    /// The file's last bytes hold its facts.
    let keepsFacts: Bool
    /// The set it belongs to, where a ledger lists what is stored.
    var set: String?

    func facts(end: Int64, count: Int) -> FileFacts {
        FileFacts(start: start, end: end, count: count, connector: connector, startTimestamp: startTimestamp, source: partition.description)
    }

    func metadata(_ facts: FileFacts) -> [String: String] {
        var metadata = facts.metadata
        if let set {
            metadata[Ledger.metadataKey] = set
            metadata["kafka-topic"] = PercentCoding.encode(topic)
        }
        return metadata
    }
}
