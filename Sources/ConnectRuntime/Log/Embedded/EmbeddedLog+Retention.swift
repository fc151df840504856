import ConnectAPI

/// How long records stay in the log. The defaults are Kafka's: a week, whatever their size.
///
/// Records that a subscribed group has not consumed yet stay whatever the limits say: upstream has been told that they are safe, so the log
/// may be their only home (Invariant 6). A disk that fills up because of a sink that stands still makes sources wait.
package struct RetentionPolicy: Sendable, Hashable {
    /// `log.retention.hours`, `log.retention.minutes`, `log.retention.ms`; counted from the append. nil: no limit.
    package var time: Duration?
    /// `log.retention.bytes`: of each partition, as compressed on the disk. nil: no limit.
    package var bytes: Int64?
    /// Deletes records as soon as every group that subscribes to their topic has consumed them, without waiting for the limits.
    package var deletesConsumed: Bool

    package init(time: Duration? = .seconds(168 * 3600), bytes: Int64? = nil, deletesConsumed: Bool = false) {
        self.time = time
        self.bytes = bytes
        self.deletesConsumed = deletesConsumed
    }
}

extension EmbeddedLog {
    /// What a round of retention removed.
    package struct Trimmed: Sendable, Hashable {
        package var batches = 0
        package var records: Int64 = 0
        package var bytes: Int64 = 0
    }

    /// Batches a commit may remove: index rows only, so it stays a matter of milliseconds.
    private static let batchesPerStep = 1000

    /// Deletes what the policy lets go. `subscriptions`: the topics of each sink's group (`connect-<name>`), whether it runs or not. Space is
    /// freed afterwards, in small steps between commits.
    @discardableResult
    package func retain(_ policy: RetentionPolicy, consumedBy subscriptions: [String: Set<String>]) async throws -> Trimmed {
        var consumed: [TopicPartition: Int64] = [:]
        for (group, topics) in subscriptions {
            let offsets = try await consumerOffsets(of: group)
            for name in index.partitions.keys where topics.contains(name.topic) {
                consumed[name] = min(consumed[name] ?? .max, offsets[name] ?? 0)
            }
        }
        var trimmed = Trimmed()
        for (name, partition) in index.partitions {
            let limit = try await limit(policy, partition, consumed: consumed[name])
            var before: Int64 = -1
            while let now = index.partition(name), now.start < limit, now.start != before {
                try Task.checkCancellation()
                before = now.start
                let step = try await removeBatches(of: name, now, before: limit)
                trimmed.batches += step.batches
                trimmed.records += step.records
                trimmed.bytes += step.bytes
            }
        }
        return trimmed
    }

    /// The offset before which records may go.
    private func limit(_ policy: RetentionPolicy, _ partition: LogIndex.Partition, consumed: Int64?) async throws -> Int64 {
        let protected = consumed ?? .max
        if policy.deletesConsumed, consumed != nil { return min(protected, partition.end) }
        let oldest = policy.time.map { WallClock.milliseconds - $0.components.seconds * 1000 - $0.components.attoseconds / 1_000_000_000_000_000 }
        let limit = try await readers.run { db in
            var limit: Int64 = partition.start
            if let oldest {
                let young = try db.integer(
                    "SELECT first_offset FROM batches WHERE partition = ? AND written >= ? ORDER BY first_offset LIMIT 1",
                    .integer(partition.id), .integer(oldest))
                limit = max(limit, young ?? partition.end)
            }
            if let bytes = policy.bytes {
                let kept = try db.integer(
                    """
                    SELECT min(first_offset) FROM (SELECT first_offset, sum(stored) OVER (ORDER BY first_offset DESC) AS total
                    FROM batches WHERE partition = ?) WHERE total <= ?
                    """, .integer(partition.id), .integer(bytes))
                limit = max(limit, kept ?? partition.end)
            }
            return limit
        }
        return min(limit, protected)
    }

    private func removeBatches(of name: TopicPartition, _ partition: LogIndex.Partition, before limit: Int64) async throws -> Trimmed {
        // Whole batches only; one that straddles the limit stays.
        let (step, start) = try await readers.run { db in
            var step = Trimmed(), start = partition.start
            try db.rows(
                """
                SELECT first_offset, count, stored FROM batches WHERE partition = ? AND first_offset + count <= ?
                ORDER BY first_offset LIMIT ?
                """, .integer(partition.id), .integer(limit), .integer(Int64(Self.batchesPerStep))
            ) { row in
                step.batches += 1
                step.records += row.integer(1)
                step.bytes += row.integer(2)
                start = row.integer(0) + row.integer(1)
            }
            return (step, start)
        }
        guard step.batches > 0 else { return step }
        try await writer.write { transaction in
            let id = Database.Value.integer(partition.id), end = Database.Value.integer(start)
            try transaction.db.run(
                "INSERT OR IGNORE INTO garbage SELECT blob, stored FROM batches WHERE partition = ? AND first_offset < ?", id, end)
            try transaction.db.run("DELETE FROM batches WHERE partition = ? AND first_offset < ?", id, end)
            try transaction.setStart(name, start)
            transaction.leavesGarbage = true
        }
        return step
    }
}
