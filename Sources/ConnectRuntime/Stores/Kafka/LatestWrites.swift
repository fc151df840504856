import Kafka
import Synchronization

/// Records written behind their writers' backs: of each key the latest, so that an outage costs no memory and its end no stampede.
final class LatestWrites: Sendable {
    private struct Pending {
        var latest: [[UInt8]: KafkaRecord] = [:]
        var order: [[UInt8]] = []
    }
    private let pending = Mutex(Pending())
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation

    init() { (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    func put(_ record: KafkaRecord) {
        pending.withLock { pending in
            let key = record.key ?? []
            if pending.latest.updateValue(record, forKey: key) == nil { pending.order.append(key) }
        }
        wake.yield()
    }

    /// Writes what comes until `finish`, and then what is left; cancelled, it leaves that.
    func run(_ write: ([KafkaRecord]) async throws -> Void) async {
        for await _ in wakes { await drain(write) }
        await drain(write)
    }

    func finish() { wake.finish() }

    private func drain(_ write: ([KafkaRecord]) async throws -> Void) async {
        while !Task.isCancelled {
            let records = pending.withLock { pending in
                defer { pending = Pending() }
                return pending.order.compactMap { pending.latest[$0] }
            }
            if records.isEmpty { return }
            try? await write(records)
        }
    }
}
