import ConnectAPI
import Synchronization

/// The writers in use: one a producer, made for its first appender and ended with its last.
final class KafkaWriters: Sendable {
    private struct State {
        var writers: [Producer: (writer: KafkaWriter, users: Int)] = [:]
        var running: [ObjectIdentifier: Task<Void, Never>] = [:]
        var isClosed = false
    }
    private let state = Mutex(State())
    private let make: @Sendable (Producer) throws -> KafkaWriter

    init(_ make: @escaping @Sendable (Producer) throws -> KafkaWriter) { self.make = make }

    func use(_ producer: Producer) throws -> KafkaWriter {
        try state.withLock { state in
            if state.isClosed { throw ConnectorError("log.closed", .stop, "The log is closed") }
            if let known = state.writers[producer] {
                state.writers[producer]!.users += 1
                return known.writer
            }
            let writer = try make(producer)
            state.writers[producer] = (writer, 1)
            let id = ObjectIdentifier(writer)
            state.running[id] = Task {
                await writer.run()
                self.state.withLock { $0.running[id] = nil }
            }
            return writer
        }
    }

    func leave(_ writer: KafkaWriter) {
        let isLast = state.withLock { state in
            guard let known = state.writers[writer.producer], known.writer === writer else { return false }
            if known.users > 1 {
                state.writers[writer.producer]!.users -= 1
                return false
            }
            state.writers[writer.producer] = nil
            return true
        }
        if isLast { writer.finish() }
    }

    /// Ends all writers after what they were given.
    func close() async {
        let (writers, running) = state.withLock { state in
            state.isClosed = true
            defer { state.writers = [:] }
            return (state.writers.values.map(\.writer), Array(state.running.values))
        }
        for writer in writers { writer.finish() }
        for task in running { await task.value }
    }
}
