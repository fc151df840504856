import ConnectAPI
import JSON

/// "Is my data complete up to T?": up to where everything of a topic partition is in the store.
struct Watermark: Sendable, Equatable {
    let partition: TopicPartition
    /// Every record before this offset is stored.
    let nextOffset: Int64
    /// Milliseconds: of records that come in the order of their time, every one from before is stored.
    let timestamp: Int64

    func name(_ naming: FileNaming) -> String {
        let d = naming.directoryDelimiter
        return "\(naming.topicsDirectory.isEmpty ? "" : naming.topicsDirectory + d)_watermark\(d)\(partition.topic)\(d)\(partition.partition).json"
    }

    var json: [UInt8] {
        var out = JSONWriter()
        JSONValue.object([
            ("topic", .string(partition.topic)), ("partition", .integer(partition.partition)), ("nextOffset", .integer(nextOffset)),
            ("timestamp", .integer(timestamp)),
        ]).write(to: &out)
        return out.take()
    }
}
