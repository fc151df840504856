import ConnectAPI

/// Streams changes from a position on, until cancelled.
///
///     CatchUp (a backlog) │ reader thread ─▶ ChunkQueue ─▶ decoder ─▶ frame ─▶ output.emit ─▶ log
///                                ▲                           │ StreamProgress        │ durable
///                                └── flush LSN ◀── FlushTracker ◀──────────────────┘ (Invariant 1)
///                                                            └─▶ SlotMonitor: lag and retained WAL as metrics
///
/// A frame is emitted when the input has run dry at the end of a transaction and the log has everything before, or when enough is gathered: a
/// single change waits for nothing, and under load frames grow by themselves.
struct Streaming {
    let configuration: PostgresConfiguration
    let parameters: ConnectionParameters
    let catalog: TableCatalog
    let filter: CaptureFilter
    let fingerprint: String
    let slot: Slot
    let context: TaskContext
    let output: any SourceOutput

    private var server: String { configuration.topicPrefix ?? "" }
    private var statusInterval: Duration { .milliseconds(configuration.statusUpdateIntervalMilliseconds) }
    private static let linger = Duration.milliseconds(5)

    /// Why a stream ends before the connector does.
    private enum Turn: Error {
        /// A table got a column whose binary form we cannot read.
        case textNeeded
        /// The walsender cannot keep up with what is written.
        case behind
    }

    func run(from start: StreamPosition, binary: Bool) async throws {
        let progress = StreamProgress(start: start.committed), metrics = StreamingMetrics(context, server: server, tags: configuration.metricTags)
        let tracker = FlushTracker(flushed: configuration.flushesLSN ? start.committed : 0), output = output
        let monitor = SlotMonitor(
            parameters: parameters, slot: slot, context: context, server: server, progress: progress, metrics: metrics,
            durable: { tracker.flushed(durable: output.durable) })
        metrics.connected(true)
        defer { metrics.connected(false) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await monitor.run() }
            defer { group.cancelAll() }
            try await read(makePipeline(from: start, tracker, progress, metrics), binary: binary)
        }
    }

    private func read(_ start: Pipeline, binary: Bool) async throws {
        var pipeline = start, binary = binary
        let catchUpFails = Flag()
        while true {
            do {
                let options = try await options(binary: binary)
                if !catchUpFails.isSet {
                    try await catchUp(&pipeline, binary, options, catchUpFails)
                    pipeline.decoder.reconnect()
                }
                try await stream(&pipeline, binary, options, watchesLag: !catchUpFails.isSet)
            } catch Turn.textNeeded {
                context.log.info("A captured column cannot be read in binary form: streaming goes on in text")
                binary = false
            } catch Turn.behind {}
            pipeline.decoder.reconnect()
        }
    }

    private func makePipeline(
        from start: StreamPosition, _ tracker: FlushTracker, _ progress: StreamProgress, _ metrics: StreamingMetrics
    ) -> Pipeline {
        let records = ControlRecords(source: configuration.sourceIdentity, conversion: configuration.valueConversion)
        let filter = filter
        let decoder = StreamDecoder(
            resumingAt: start, fingerprint: fingerprint,
            skips: .init(configuration.skippedOperations, unchanged: configuration.skipMessagesWithoutChange),
            control: .init(
                records: records, messageTopic: configuration.topic(server, "message"), capturesMessage: { filter.capturesMessage(prefix: $0) },
                transactionTopic: configuration.provideTransactionMetadata ? configuration.topic(server, configuration.topicTransaction) : nil,
                signalTable: configuration.readsSignalTable ? configuration.signalDataCollection : nil),
            limits: .init(rows: max(16_384, configuration.maxBatchSize), bytes: max(1 << 20, min(4 << 20, context.memoryBudget / 16))))
        return Pipeline(
            decoder: decoder, output: output, tracker: tracker, progress: progress, server: server, metrics: metrics,
            heartbeat: Heartbeat(configuration, records, parameters, context.log),
            incremental: IncrementalSnapshot(configuration, parameters, catalog, context, resuming: start.incremental),
            file: configuration.signalFileChannel(context.log), idleInterval: statusInterval, failsOnConversion: configuration.failsOnConversion,
            log: context.log)
    }

    private func makeQueue() -> ChunkQueue {
        let most = configuration.maxQueueSizeInBytes
        return ChunkQueue(capacity: min(max(2 << 20, min(16 << 20, context.memoryBudget / 8)), most > 0 ? max(64 << 10, Int(most)) : .max))
    }

    private func flushed(_ tracker: FlushTracker) -> @Sendable () -> UInt64 {
        let output = output, flushes = configuration.flushesLSN
        return { flushes ? tracker.flushed(durable: output.durable) : 0 }
    }

    /// Reads a backlog by stretches; returns at once when there is none.
    private func catchUp(_ pipeline: inout Pipeline, _ binary: Bool, _ options: [(String, String)], _ fails: Flag) async throws {
        let queue = makeQueue(), start = pipeline.decoder.position.committed
        pipeline.progress.begin(queue, watchesWalsender: false)
        let reader = CatchUp(
            parameters: parameters, slot: slot, options: options, queue: queue, log: context.log, flushed: flushed(pipeline.tracker), fails: fails)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await reader.run(from: start) }
            defer { group.cancelAll() }
            try await consume(queue, &pipeline, binary)
        }
    }

    /// Reads what the walsender sends, until cancelled.
    private func stream(_ pipeline: inout Pipeline, _ binary: Bool, _ options: [(String, String)], watchesLag: Bool) async throws {
        let queue = makeQueue(), interrupt = Interrupt()
        pipeline.progress.begin(queue, watchesWalsender: watchesLag)
        let reader = ReplicationReader(
            parameters: parameters, slot: slot.name, publication: configuration.publicationName, start: pipeline.decoder.position.committed,
            options: options, statusInterval: statusInterval, retries: configuration.slotMaxRetries,
            retryDelay: .milliseconds(configuration.slotRetryDelayMilliseconds), queue: queue, interrupt: interrupt, log: context.log,
            flushed: flushed(pipeline.tracker))
        let thread = ThreadExecutor("pg-stream")
        defer { thread.stop() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask(executorPreference: thread) {
                await withTaskCancellationHandler {
                    reader.run()
                } onCancel: {
                    interrupt.fire()
                }
            }
            defer { group.cancelAll() }
            try await consume(queue, &pipeline, binary)
        }
    }

    private func options(binary: Bool) async throws -> [(String, String)] {
        var options = [("proto_version", "1"), ("publication_names", quoted(configuration.publicationName))]
        if binary { options.append(("binary", "true")) }
        if try await catalog.serverVersion() >= 140_000 { options.append(("messages", "true")) }
        for parameter in (configuration.slotStreamParams ?? "").split(separator: ";") {
            let parts = parameter.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else { continue }
            options.append((parts[0].trimmingSpaces(), parts[1].trimmingSpaces()))
        }
        return options
    }

    // MARK: The decoding task

    /// Decodes and emits until the queue ends.
    private func consume(_ queue: ChunkQueue, _ pipeline: inout Pipeline, _ binary: Bool) async throws {
        while let chunk = try await nextChunk(queue, &pipeline) {
            pipeline.decoder.now = WallClock.nanoseconds
            var offset = 0
            while let pause = try chunk.bytes.withUnsafeBytes({ try pipeline.decoder.consume($0, from: &offset) }) {
                switch pause {
                case .frameIsFull: try await pipeline.emit()
                case .signals(let signals): try await pipeline.handle(signals)
                case .relation(let relation):
                    try await settle(&pipeline)
                    try await define(relation, &pipeline, binary)
                // The label was there before the change: nothing to wait for.
                case .label(let relation): try await define(relation, &pipeline, binary)
                }
            }
            if let xid = pipeline.decoder.takeTransactionToRepeat() {
                context.log.warn(
                    "The publication changed while transaction \(xid) was half emitted: it is emitted again from its start, so its first changes come twice")
            }
            try await pipeline.idle()
            if pipeline.progress.isBehind { throw Turn.behind }
        }
    }

    private func define(_ relation: RelationMessage, _ pipeline: inout Pipeline, _ binary: Bool) async throws {
        let schema = try await catalog.schema(relation)
        // Changes of it have not been taken yet: they are sent again as text.
        if binary, schema?.supportsBinary == false { throw Turn.textNeeded }
        pipeline.decoder.define(relation, schema)
    }

    /// The catalog knows a table as it is now, the stream as it was. Changes of tables come in bursts (a migration drops a column, adds two,
    /// renames one), so the catalog is read half a second (`sluice.schema.settle.ms`) after the transaction at hand committed, when the burst is
    /// over: a column that is gone by then counts as optional, as it does in Debezium, which reads as late. A backlog is older than that and waits
    /// for nothing.
    private func settle(_ pipeline: inout Pipeline) async throws {
        let time = configuration.schemaSettleMilliseconds * 1000
        guard time > 0, let commit = pipeline.decoder.lastCommitMicros else { return }
        let rest = commit + time - WallClock.nanoseconds / 1000
        guard rest > 0 else { return }
        try await pipeline.emit()
        // Clocks may differ: never longer than the time itself.
        try await Task.sleep(for: .microseconds(min(rest, time)))
        pipeline.decoder.now = WallClock.nanoseconds
    }

    /// The next chunk; emits what is gathered when none is waiting.
    private func nextChunk(_ queue: ChunkQueue, _ pipeline: inout Pipeline) async throws -> ChunkQueue.Chunk? {
        var lingering: ContinuousClock.Instant?
        while true {
            if let chunk = queue.poll() { return chunk }
            guard pipeline.decoder.rows > 0, !pipeline.decoder.isInTransaction else { return try await queue.next() }
            if pipeline.isDurable || (lingering.map { $0.duration(to: .now) >= Self.linger } ?? false) {
                try await pipeline.emit()
                continue
            }
            lingering = lingering ?? .now
            try await Task.sleep(for: .microseconds(500))
        }
    }
}

/// The decoding task's state: what has been decoded, and what of it has been emitted.
private struct Pipeline {
    var decoder: StreamDecoder
    let output: any SourceOutput
    let tracker: FlushTracker
    let progress: StreamProgress
    let server: String
    let metrics: StreamingMetrics
    var heartbeat: Heartbeat
    var incremental: IncrementalSnapshot
    var file: FileSignals?
    let idleInterval: Duration
    let failsOnConversion: Bool
    let log: Logger
    private var lastFrame: FrameNumber = 0
    private var lastMove = ContinuousClock.now

    init(
        decoder: StreamDecoder, output: any SourceOutput, tracker: FlushTracker, progress: StreamProgress, server: String, metrics: StreamingMetrics,
        heartbeat: Heartbeat, incremental: IncrementalSnapshot, file: FileSignals?, idleInterval: Duration, failsOnConversion: Bool, log: Logger
    ) {
        self.decoder = decoder
        self.output = output
        self.tracker = tracker
        self.progress = progress
        self.server = server
        self.metrics = metrics
        self.heartbeat = heartbeat
        self.incremental = incremental
        self.file = file
        self.idleInterval = idleInterval
        self.failsOnConversion = failsOnConversion
        self.log = log
    }

    /// Everything emitted is in the log.
    var isDurable: Bool { output.durable >= lastFrame }

    mutating func emit() async throws {
        let frame = decoder.takeFrame(), failed = decoder.takeFailedTables()
        if failsOnConversion, let table = failed.first { throw ConversionFailure.error(table) }
        try await emit(frame.batches, frame.position)
        report()
        // Invariant 6: what became null is counted (NumberOfErroneousEvents) and said once a table.
        for table in failed {
            log.warn("Table \(table): values that cannot be represented became null, as event.converting.failure.handling.mode=warn says")
        }
    }

    private mutating func emit(_ batches: [RecordBatch], _ position: StreamPosition) async throws {
        lastFrame = try await output.emit(batches, at: position.sourcePosition(server: server))
        tracker.note(frame: lastFrame, completes: position.committed)
        lastMove = .now
    }

    // MARK: Signals and incremental snapshots

    /// Called between transactions.
    mutating func handle(_ signals: [Signal]) async throws {
        if incremental.isClosed(by: signals, at: decoder.received) { try await emitChunk() }
        var notes: [RecordBatch] = []
        for signal in signals { notes += try await incremental.handle(signal, offset: "\(decoder.position.offset)") }
        try await noteProgress(notes)
    }

    /// Reads the next chunk when none is waiting, and emits one whose window was closed by the log itself.
    private mutating func advanceIncrementalSnapshot() async throws {
        if incremental.isClosed(by: [], at: decoder.received) { try await emitChunk() }
        guard incremental.isReady else { return }
        let notes = try await incremental.readChunk(lastCommit: decoder.position.committed) { decoder.beginWatching($0) }
        try await noteProgress(notes)
    }

    private mutating func emitChunk() async throws {
        let batches = incremental.takeChunk(decoder.endWatching())
        decoder.setIncremental(incremental.progress)
        let frame = decoder.takeFrame()
        try await emit(frame.batches + batches, frame.position)
    }

    /// Notifications and what changed of the progress, in a frame of their own.
    private mutating func noteProgress(_ notes: [RecordBatch]) async throws {
        guard !notes.isEmpty || decoder.position.incremental != incremental.progress else { return }
        decoder.setIncremental(incremental.progress)
        let frame = decoder.takeFrame()
        try await emit(frame.batches + notes, frame.position)
    }

    private func report() {
        let delay = decoder.lastCommitMicros.map { Double(max(0, WallClock.nanoseconds / 1000 - $0)) / 1000 }
        metrics.report(decoder.counts, delay: delay)
        progress.update { state in
            state.commitMicros = decoder.lastCommitMicros
            state.lastEvent = .now
            if let delay { state.delays.record(delay) }
        }
    }

    /// What time demands between transactions: heartbeats, and acknowledging WAL that held nothing for us, so that it never piles up. The position
    /// moves first: a slot ahead of the stored offset always means that something was lost.
    mutating func idle() async throws {
        guard !decoder.isInTransaction else { return }
        if let signals = file?.due(), !signals.isEmpty { try await handle(signals) }
        try await advanceIncrementalSnapshot()
        if let batch = try await heartbeat.due() {
            decoder.advance(to: decoder.keepaliveLSN)
            let frame = decoder.takeFrame()
            try await emit(frame.batches + [batch], frame.position)
        } else if decoder.isAtRest, decoder.keepaliveLSN > decoder.position.committed, lastMove.duration(to: .now) >= idleInterval {
            decoder.advance(to: decoder.keepaliveLSN)
            try await emit([], decoder.position)
        }
        if decoder.isAtRest, isDurable { progress.update { $0.restLSN = max(decoder.position.committed, decoder.keepaliveLSN) } }
    }
}
