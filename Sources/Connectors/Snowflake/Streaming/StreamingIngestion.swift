import ConnectAPI
import JSON

/// Records become rows of channels: one channel a partition and table, offsets as tokens.
///
///     ConsumedBatch ─▶ RowLayout ─▶ lines of JSON ─▶ Channel: chunks of at most 3.5 MB, sent once full or old ─▶ status: committed up to …
///
/// Exactly once: Snowflake commits rows together with their token, a channel that is opened tells the token it has, and records up to it are
/// passed over. Opening shuts out a zombie that still holds the channel (Invariant 4).
struct StreamingIngestion: Ingestion {
    struct Context: Sendable {
        var connector: String
        var layout: RowLayout
        var tables: TableMap
        var database: String
        var schema: String
        var setup: TableSetup
        var client: StreamingClient
        /// Milliseconds rows wait for a chunk to fill.
        var lag: Int64
        var budget: Int
        var metrics: SnowflakeMetrics
        var log: Logger
        var reject: @Sendable (RejectedRecord) async throws -> Void
        var clock: @Sendable () -> Int64 = { WallClock.milliseconds }
    }

    private struct Key: Hashable {
        let partition: TopicPartition
        let table: ObjectName
    }

    private let context: Context
    private var channels: [Key: Channel] = [:]
    private var taken: [TopicPartition: Int64] = [:]
    private var reported: [TopicPartition: Int64] = [:]
    private var askedAt: Int64 = 0

    /// A request takes 4 MB of rows.
    private static let chunkBytes = 3_500_000
    /// Milliseconds between two questions about channels.
    private static let statusPause: Int64 = 500

    init(_ context: Context) { self.context = context }

    mutating func open(_ partitions: [TopicPartition]) async throws {}

    private mutating func channel(_ partition: TopicPartition, _ table: ObjectName) async throws -> Channel {
        let key = Key(partition: partition, table: table)
        if let channel = channels[key] { return channel }
        let name = "\(context.connector)_\(partition.topic)_\(partition.partition)"
        let channel = Channel(
            .init(pipe: VendorNames.streamingPipe(table), channel: name), table: table, partition: partition, context.client, log: context.log)
        try await channel.reopen()
        if channel.committed >= 0 { context.log.info("\(partition): \(table) has its records up to offset \(channel.committed)") }
        channels[key] = channel
        return channel
    }

    mutating func write(_ consumed: ConsumedBatch) async throws {
        try await makeRoom()
        if reported[consumed.partition] == nil, consumed.batch.count > 0 { reported[consumed.partition] = consumed.offsets[0] }
        let (kept, ignored) = try context.layout.kept(consumed)
        context.metrics.ignored(ignored)
        guard kept.batch.count > 0 else {
            taken[consumed.partition] = consumed.nextOffset
            return
        }
        let table = context.tables.table(for: kept.batch.topic).qualified(database: context.database, schema: context.schema)
        let now = context.clock()
        var rows = try context.layout.rows(kept, now: now)
        let nullable = Set(rows.values.schema.fields.filter(\.schema.isOptional).map(\.name))
        let types = try await context.setup.types(of: table, taking: rows.columns, nullable: nullable, layout: context.layout.layout)
        rows.rejectMisfits(types, kept)
        let channel = try await channel(consumed.partition, table)
        for bad in rows.rejected where kept.offsets[bad.row] > channel.committed {
            try await context.reject(RejectedRecord(partition: consumed.partition, offset: kept.offsets[bad.row], error: bad.error))
            context.metrics.rejected()
        }
        let refused = Set(rows.rejected.map(\.row))
        let good = (0..<kept.batch.count).filter { !refused.contains($0) && kept.offsets[$0] > channel.committed }
        context.metrics.skipped(kept.batch.count - refused.count - good.count)
        if !good.isEmpty {
            let whole = good.count == kept.batch.count
            try append(whole ? rows.values : rows.values.select(good), good.map { kept.offsets[$0] }, to: channel, now)
        }
        // Nothing of the batch may be given back from here on.
        taken[consumed.partition] = consumed.nextOffset
        context.metrics.took(kept.batch.count)
    }

    /// Adds rows to the channel's chunk, which is sealed where it is full.
    private func append(_ rows: Column, _ offsets: [Int64], to channel: Channel, _ now: Int64) throws {
        var writer = JSONWriter(capacity: 1 << 16), ends: [Int] = []
        try RowLines.write(rows, names: [:], to: &writer) { ends.append($0) }
        let bytes = writer.take()
        var row = 0, from = 0
        while row < ends.count {
            let room = Self.chunkBytes - channel.openBytes
            var last = row
            while last + 1 < ends.count, ends[last + 1] - from <= room { last += 1 }
            if channel.openBytes > 0, ends[last] - from > room {
                channel.seal()
                continue
            }
            channel.append(bytes[from..<ends[last]], from: offsets[row], to: offsets[last], count: last - row + 1, now: now)
            from = ends[last]
            row = last + 1
        }
    }

    mutating func flush(_ reason: FlushReason) async throws -> [TopicPartition: Int64] {
        let now = context.clock()
        for channel in channels.values {
            if reason == .closing || channel.openSince.map({ now - $0 >= context.lag }) == true { channel.seal() }
            try await channel.send { context.metrics.appended(rows: $0.count, bytes: $0.rows.count) }
        }
        try await ask(now, isClosing: reason == .closing)
        var offsets: [TopicPartition: Int64] = [:]
        for (partition, next) in taken {
            let first = channels.values.filter { $0.partition == partition }.compactMap(\.firstUncommitted).min()
            let offset = min(next, first ?? next)
            if offset > reported[partition] ?? .min {
                offsets[partition] = offset
                reported[partition] = offset
            }
        }
        context.metrics.state(
            openFiles: channels.count, bufferedBytes: bufferedBytes, stagedFiles: channels.values.reduce(0) { $0 + $1.chunks.count },
            oldest: channels.values.compactMap(\.openSince).min().map { now - $0 } ?? 0)
        return offsets
    }

    /// Asks about channels that have rows under way; at the close, for a few seconds until they have none.
    private mutating func ask(_ now: Int64, isClosing: Bool) async throws {
        for attempt in 0..<(isClosing ? 20 : 1) {
            let waiting = channels.values.filter { $0.chunks.contains(where: \.isSent) }
            guard !waiting.isEmpty, isClosing || now - askedAt >= Self.statusPause else { return }
            if attempt > 0 { try await Task.sleep(for: .milliseconds(250)) }
            askedAt = now
            for (pipe, group) in Dictionary(grouping: waiting, by: \.place.pipe) {
                let statuses = try await context.client.status(of: group.map(\.place.channel), in: pipe)
                for channel in group { if let status = statuses[channel.place.channel] { try await take(status, channel) } }
            }
        }
    }

    private func take(_ status: StreamingClient.ChannelStatus, _ channel: Channel) async throws {
        let failed = try channel.take(status)
        guard failed > 0 else { return }
        let error = ConnectorError(
            "snowflake.rows_refused", .reject,
            "Snowflake did not take \(failed) rows of \(channel.partition) into \(channel.table), the last at or before offset \(status.lastErrorOffset.map(String.init) ?? "unknown"): \(status.lastError ?? "no reason given")",
            hint: "Compare the records with the table's columns; ERROR_LOGGING on the table keeps the rows that were refused")
        context.log.warn("\(error)")
        context.metrics.rejected()
        // Snowflake names the last of them only.
        try await context.reject(RejectedRecord(partition: channel.partition, offset: status.lastErrorOffset ?? channel.committed, error: error))
    }

    mutating func committed(_ offsets: [TopicPartition: Int64]) async {}

    mutating func close(_ partitions: [TopicPartition]) async {
        let closed = Set(partitions)
        channels = channels.filter { !closed.contains($0.key.partition) }
        for partition in partitions {
            taken[partition] = nil
            reported[partition] = nil
        }
    }

    private var bufferedBytes: Int { channels.values.reduce(0) { $0 + $1.bufferedBytes } }

    /// Waits until there is memory for another batch (Invariant 5): rows that were sent are kept until they are committed.
    private mutating func makeRoom() async throws {
        while bufferedBytes > context.budget {
            try Task.checkCancellation()
            for channel in channels.values {
                channel.seal()
                try await channel.send { context.metrics.appended(rows: $0.count, bytes: $0.rows.count) }
            }
            askedAt = 0
            try await ask(context.clock(), isClosing: false)
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
