package import ConnectAPI
package import Kafka

/// Where source positions are kept when the topics are in Kafka. A position is written only after its records are acknowledged (Invariant 2).
package protocol SourceOffsetStore: Sendable {
    /// Positions of a connector, in the order its partitions were first seen, including everything written before the call.
    func positions(of connector: String) async throws -> [SourcePosition]
    /// The record that stands for a position, for a producer that sends it in the transaction of its records; nil: this store is not in Kafka.
    func record(_ position: SourcePosition, by producer: Producer) throws -> KafkaRecord?
    /// Durable when it returns.
    func write(_ positions: [SourcePosition], by producer: Producer) async throws
    /// Replaces positions by hand, as `Log.alterSourcePositions`.
    func alter(_ positions: [SourcePosition]?, of connector: String) async throws
}

/// Positions in the data directory of the one worker there is, as Kafka Connect's standalone mode keeps them in a file.
package struct LocalOffsetStore: SourceOffsetStore {
    private let log: EmbeddedLog
    package init(_ log: EmbeddedLog) { self.log = log }

    package func positions(of connector: String) async throws -> [SourcePosition] { try await log.sourcePositions(of: connector) }
    package func record(_ position: SourcePosition, by producer: Producer) -> KafkaRecord? { nil }
    package func write(_ positions: [SourcePosition], by producer: Producer) async throws {
        let appender = log.appender(for: producer)
        let pending = positions.map { appender.append(Frame([], at: $0)) }
        for append in pending { try await append.durable() }
    }
    package func alter(_ positions: [SourcePosition]?, of connector: String) async throws {
        try await log.alterSourcePositions(of: connector, positions)
    }
}
