import ConnectAPI

/// `io.debezium.transforms.partitions.PartitionRouting`: places records by the hash of columns instead of the key's.
///
/// Hashes are Java's, so that a topic filled by Debezium and one filled by us are divided alike. Columns are looked up once a batch.
struct PartitionRouting: Transform {
    static let className = "io.debezium.transforms.partitions.PartitionRouting"

    struct Configuration: ConnectConfiguration {
        @Field(
            "partition.payload.fields", importance: .high,
            doc: "What to hash: after.x, before.x, source.table; change.x is the row after the change, or before a delete", group: "partitions", order: 1,
            displayName: "List of payload fields to use for compute partition.",
            check: Check { ([String](configText: $0) ?? []).contains("") ? "Empty string element(s) not permitted" : nil })
        var fields: [String]
        @Field(
            "partition.topic.num", importance: .high, doc: "How many partitions the topic has", group: "partitions", order: 2,
            displayName: "Number of partition configured for topic",
            check: Check { Int64($0).map { $0 < 1 } == true ? "A positive integer value is expected" : nil })
        var partitions: Int
        @Field(
            "partition.hash.function", default: "java", importance: .low, doc: "java or murmur", group: "partitions", order: 3, displayName: "Hash function")
        var hashFunction: String
        init() {}
    }

    private let paths: [[String]]
    private let partitions: Int32
    private let usesMurmur: Bool

    init(_ configuration: Configuration) {
        paths = configuration.fields.map { $0.split(separator: ".").map { $0.trimmingSpaces() } }
        partitions = Int32(configuration.partitions)
        usesMurmur = configuration.hashFunction.lowercased() == "murmur"
    }

    func apply(_ input: TransformedBatch) -> [TransformedBatch] {
        let batch = input.batch
        guard let envelope = batch.value, Envelope.isNamed(envelope.schema) else { return [input] }
        let op = Envelope.Operations(envelope)
        let changed = paths.compactMap { Self.column($0, of: envelope, deletes: false) }
        let deleted = paths.compactMap { Self.column($0, of: envelope, deletes: true) }
        let places = (0..<batch.count).map { row -> Int32? in
            if batch.isTombstone(row) || envelope.isNull(row) || op.isTruncate(row) || op.isMessage(row) { return nil }
            var sum: Int32 = 0, any = false
            for column in op.isDelete(row) ? deleted : changed {
                let value = column[row]
                guard !value.isNull else { continue }
                any = true
                sum &+= usesMurmur ? MurmurHash3.hash(value, column.schema) : JavaHash.hash(value, column.schema)
            }
            guard any else { return nil }
            let normal = sum & .max
            return (normal == .max ? 0 : normal) % partitions
        }
        return input.placed(places)
    }

    /// The column at a path; nil: this envelope has none. `change` stands for the row the change is about.
    private static func column(_ path: [String], of envelope: Column, deletes: Bool) -> Column? {
        var column = envelope
        for (depth, name) in path.enumerated() {
            let name = name == "change" && depth + 1 < path.count ? (deletes ? "before" : "after") : name
            guard column.schema.type == .struct, let member = column.member(name) else { return nil }
            column = member
        }
        return column.replacingNullsWithDefault()
    }
}
