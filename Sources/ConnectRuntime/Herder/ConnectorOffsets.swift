import ConnectAPI

/// What `/connectors/{name}/offsets` reads and changes: source positions, or the offsets of the sink's consumer group.
struct ConnectorOffsets {
    let name: String
    let values: [String: String]
    let plugin: PluginRegistry.Plugin?
    let log: any Log

    private var isSink: Bool { plugin?.connectorType == .sink }
    private var group: String { "connect-\(name)" }

    func read() async throws -> [SourcePosition] {
        guard isSink else { return try await log.sourcePositions(of: name).map(listed) }
        return try await log.consumerOffsets(of: group).sorted { $0.key < $1.key }.map { partition, offset in
            SourcePosition(
                partition: ["kafka_partition": .integer(Int64(partition.partition)), "kafka_topic": .string(partition.topic)],
                offset: ["kafka_offset": .integer(offset)])
        }
    }

    private func listed(_ position: SourcePosition) -> SourcePosition {
        guard case .source(let type)? = plugin?.implementation, !type.unlistedOffsetKeys.isEmpty else { return position }
        let entries = position.offset.entries.filter { !type.unlistedOffsetKeys.contains($0.key) }
        return SourcePosition(partition: position.partition, offset: OffsetMap(entries.map { ($0.key, $0.value) }))
    }

    /// Returns the message of the answer.
    func alter(_ positions: [SourcePosition], _ providers: ConfigProviders) async throws -> String {
        guard !positions.isEmpty else { throw HerderError(400, "Partitions / offsets need to be provided for an alter offsets request") }
        if isSink {
            try await log.alterConsumerOffsets(of: group, try Self.sinkOffsets(positions))
        } else {
            // A partition named twice takes its last offset.
            var last: [SourcePosition] = []
            for position in positions {
                last.removeAll { $0.partition == position.partition }
                last.append(position)
            }
            if case .source(let type)? = plugin?.implementation {
                do {
                    try type.validateOffsets(last, try providers.resolve(values))
                } catch let error as ConnectorError {
                    throw HerderError(500, Trace.message(of: error))
                }
            }
            try await log.alterSourcePositions(of: name, last)
        }
        return message("altered")
    }

    /// Returns the message of the answer.
    func reset() async throws -> String {
        if isSink {
            try await log.alterConsumerOffsets(of: group, nil)
        } else {
            try await log.alterSourcePositions(of: name, nil)
        }
        return message("reset")
    }

    static func mustBeStopped(_ name: String) -> HerderError {
        HerderError(
            400,
            "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/\(name)/stop' endpoint"
        )
    }

    private func message(_ verb: String) -> String {
        let confirmed =
            switch plugin?.implementation {
            case .source(let type): type.managesOffsetChanges
            case .sink(let type): type.managesOffsetChanges
            default: false
            }
        return confirmed
            ? "The offsets for this connector have been \(verb) successfully"
            : "The Connect framework-managed offsets for this connector have been \(verb) successfully. However, if this connector manages offsets externally, they will need to be manually \(verb) in the system that the connector uses."
    }

    static func sinkOffsets(_ positions: [SourcePosition]) throws -> [TopicPartition: Int64?] {
        var out: [TopicPartition: Int64?] = [:]
        for position in positions {
            guard !position.partition.entries.isEmpty else {
                throw HerderError(400, "The partition for a sink connector offset cannot be null or missing")
            }
            guard let topic = position.partition["kafka_topic"], let partition = position.partition["kafka_partition"] else {
                throw HerderError(400, "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'")
            }
            guard !topic.isNull else { throw HerderError(400, "Kafka topic names must be valid strings and may not be null") }
            guard !partition.isNull else { throw HerderError(400, "Kafka partitions must be valid numbers and may not be null") }
            guard let number = Int32(text(partition)) else {
                throw HerderError(
                    400,
                    "Failed to parse the following Kafka partition value in the provided offsets: '\(text(partition))'. Partition values for sink connectors need to be integers."
                )
            }
            let key = TopicPartition(text(topic), number)
            if position.offset.entries.isEmpty {
                out[key] = .some(nil)
                continue
            }
            guard let offset = position.offset["kafka_offset"] else {
                throw HerderError(400, "The offset for a sink connector should either be null or contain the key 'kafka_offset'")
            }
            guard let value = Int64(text(offset)), value >= 0 else {
                throw HerderError(
                    400,
                    "Failed to parse the following Kafka offset value in the provided offsets: '\(text(offset))'. Offset values for sink connectors need to be integers."
                )
            }
            out[key] = .some(value)
        }
        return out
    }

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

extension SourceConnector {
    fileprivate static func validateOffsets(_ positions: [SourcePosition], _ values: [String: String]) throws {
        try Self(Configuration(values)).validateOffsets(positions)
    }
}
