package import ConnectAPI

/// A sink's offsets as REST shows and takes them: `{"kafka_topic":"t","kafka_partition":0}` and `{"kafka_offset":5}`.
package enum SinkOffsets {
    package static func positions(_ offsets: [TopicPartition: Int64]) -> [SourcePosition] {
        offsets.sorted { $0.key < $1.key }.map { partition, offset in
            SourcePosition(
                partition: ["kafka_partition": .integer(Int64(partition.partition)), "kafka_topic": .string(partition.topic)],
                offset: ["kafka_offset": .integer(offset)])
        }
    }

    /// Numbers and numeric strings are taken; a null offset (an empty map) resets the partition. Throws `HerderError` 400 in Kafka's words.
    package static func parse(_ positions: [SourcePosition]) throws -> [TopicPartition: Int64?] {
        var offsets: [TopicPartition: Int64?] = [:]
        for position in positions { offsets.updateValue(try offset(position.offset), forKey: try partition(position.partition)) }
        return offsets
    }

    private static func partition(_ map: OffsetMap) throws -> TopicPartition {
        if map.entries.isEmpty { throw HerderError(400, "The partition for a sink connector offset cannot be null or missing") }
        guard let topic = map["kafka_topic"], let number = map["kafka_partition"] else {
            throw HerderError(400, "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'")
        }
        if topic.isNull { throw HerderError(400, "Kafka topic names must be valid strings and may not be null") }
        if number.isNull { throw HerderError(400, "Kafka partitions must be valid numbers and may not be null") }
        guard let partition = integer(number).flatMap({ Int32(exactly: $0) }) else {
            throw HerderError(
                400,
                "Failed to parse the following Kafka partition value in the provided offsets: '\(text(number))'. "
                    + "Partition values for sink connectors need to be integers.")
        }
        return TopicPartition(text(topic), partition)
    }

    private static func offset(_ map: OffsetMap) throws -> Int64? {
        if map.entries.isEmpty { return nil }
        guard let value = map["kafka_offset"], !value.isNull else {
            throw HerderError(400, "The offset for a sink connector should either be null or contain the key 'kafka_offset'")
        }
        guard let offset = integer(value) else {
            throw HerderError(
                400,
                "Failed to parse the following Kafka offset value in the provided offsets: '\(text(value))'. "
                    + "Offset values for sink connectors need to be integers.")
        }
        return offset
    }

    private static func integer(_ value: Value) -> Int64? { value.integerValue ?? value.stringValue.flatMap { Int64($0) } }

    private static func text(_ value: Value) -> String {
        switch value {
        case .string(let s): s
        case .integer(let i): String(i)
        case .double(let d): String(d)
        case .boolean(let b): String(b)
        default: "null"
        }
    }
}
