import ConnectAPI
import Synchronization

/// What is known of the partitions without asking the database, and who waits for more. Changed by the writer after each commit, in one
/// step with waking the waiters.
final class LogIndex: Sendable {
    struct Partition: Sendable {
        /// The row's number in `partitions`.
        let id: Int64
        var start: Int64
        var end: Int64
    }

    private struct Waiter {
        let offsets: [TopicPartition: Int64]
        let continuation: CheckedContinuation<Void, Never>
    }

    private struct Content {
        var partitions: [TopicPartition: Partition] = [:]
        var waiters: [UInt64: Waiter] = [:]
        var nextWaiter: UInt64 = 0
        var isClosed = false
    }
    private let content = Mutex(Content())

    func partition(_ partition: TopicPartition) -> Partition? { content.withLock { $0.partitions[partition] } }

    var partitions: [TopicPartition: Partition] { content.withLock { $0.partitions } }

    /// Takes over what a commit changed and wakes those it concerns.
    func apply(_ changes: [TopicPartition: Partition]) {
        let woken = content.withLock { content -> [Waiter] in
            var created: [TopicPartition] = []
            for (partition, now) in changes {
                if content.partitions.updateValue(now, forKey: partition) == nil { created.append(partition) }
            }
            let concerned = content.waiters.filter { _, waiter in
                changes.contains { partition, now in waiter.offsets[partition].map { $0 < now.end } ?? created.contains(partition) }
            }
            for id in concerned.keys { content.waiters[id] = nil }
            return Array(concerned.values)
        }
        for waiter in woken { waiter.continuation.resume() }
    }

    /// See `Log.waitForRecords`.
    func wait(past offsets: [TopicPartition: Int64], timeout: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait(past: offsets) }
            group.addTask { try? await Task.sleep(for: timeout) }
            await group.next()
            group.cancelAll()
        }
    }

    private func wait(past offsets: [TopicPartition: Int64]) async {
        let id = content.withLock { content in
            content.nextWaiter += 1
            return content.nextWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = content.withLock { content in
                    // The mark is read with the lock held: the handler below runs after it is set, so one of the two sees the other.
                    if Task.isCancelled || content.isClosed { return true }
                    if offsets.contains(where: { partition, offset in content.partitions[partition].map { $0.end > offset } ?? false }) {
                        return true
                    }
                    content.waiters[id] = Waiter(offsets: offsets, continuation: continuation)
                    return false
                }
                if ready { continuation.resume() }
            }
        } onCancel: {
            content.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume()
        }
    }

    /// Wakes everybody; later waits end at once.
    func close() {
        let waiters = content.withLock { content in
            content.isClosed = true
            defer { content.waiters = [:] }
            return Array(content.waiters.values)
        }
        for waiter in waiters { waiter.continuation.resume() }
    }
}
