import ConnectAPI

/// Reads a backlog several times as fast as the walsender sends it.
///
///     slot ─ temporary copies ─▶ session A: COPY (pg_logical_slot_get_binary_changes … up to an LSN) ─▶ frames ─▶ ChunkQueue
///                                session B: the next stretch is decoded while A's is read, and so on in turn
///
/// A walsender sends every change by itself, and those small sends are its limit. The same plug-in called as a function hands its rows to COPY,
/// which sends them by the buffer: 0.6-0.8 M changes a second where streaming gives 0.2 M. The copies may be moved on at will: the slot itself
/// stays where the log is durable (Invariant 1). Whatever stands in the way (no free slot, no right, a limit on temporary files, an old
/// server) only means that streaming begins at once.
///
/// The server keeps a stretch in a temporary file while it is read, so a stretch is at most `longest` of WAL, and a larger transaction whole.
struct CatchUp: Sendable {
    let parameters: ConnectionParameters
    let slot: Slot
    /// Options of the plug-in, as for START_REPLICATION.
    let options: [(String, String)]
    let queue: ChunkQueue
    let log: Logger
    /// The LSN the slot itself may be moved to now; 0: it is not to be moved.
    let flushed: @Sendable () -> UInt64
    /// Set when the server does not let us.
    let fails: Flag

    /// Less than this is streamed: it takes under a second.
    static let worthwhile: UInt64 = 32 << 20
    private static let shortest: UInt64 = 16 << 20, longest: UInt64 = 256 << 20
    private static let gatherBytes = 256 << 10
    /// Bytes of WAL a second that streaming reaches in bad cases.
    private static let slowest: Double = 10 * 1024 * 1024

    /// Reads until the backlog behind `start` is small; the queue learns how it ended.
    func run(from start: UInt64) async {
        do {
            try await read(from: start)
            queue.finish(.success(()))
        } catch let error as ConnectorError where error.disposition != .retry || error.code == "postgres.server" {
            log.info("No catching up by stretches of WAL: \(error.message)")
            fails.set()
            queue.finish(.success(()))
        } catch {
            queue.finish(.failure(error))
        }
    }

    /// One session with a copy of the slot.
    private struct Session {
        let connection: Connection
        let copy: String
    }

    private func read(from start: UInt64) async throws {
        let control = try await Connection.open(parameters)
        guard await control.serverVersion >= 120_000, try await backlog(control, behind: start) >= Self.worthwhile else { return }
        var current = try await openSession(control, at: start)
        var other = try? await openSession(control, at: start)
        try Task.checkCancellation()
        log.info("Catching up from LSN \(LSN.text(start)) by stretches of WAL")
        var stretch = Self.shortest, advanced = start, last = (lsn: start, time: ContinuousClock.now), slow = 0
        try await begin(current, upTo: start + stretch)
        while true {
            // The first bytes come once the function is done: then its copy says how far it went.
            let first = try await current.connection.nextCopyChunk(Self.gatherBytes, action)
            let boundary = try await confirmed(control, current.copy)
            // Every stretch reads the WAL again from the slot's restart point. Where that point stays far behind, streaming is better.
            let seconds = last.time.duration(to: .now) / .seconds(1)
            slow = Double(boundary - last.lsn) < Self.slowest * seconds && boundary - last.lsn >= Self.longest ? slow + 1 : 0
            last = (boundary, .now)
            if slow == 2 { fails.set() }
            let more = try await backlog(control, behind: boundary) >= Self.worthwhile && !fails.isSet
            stretch = min(stretch * 4, Self.longest)
            let end = boundary + stretch, next = more ? other : nil
            async let prepared: Void = prepare(next, at: boundary, upTo: end)
            try await forward(first, current)
            await push(Self.keepalive(boundary))
            try await prepared
            guard more else { break }
            if let next {
                other = current
                current = next
            } else {
                try await begin(current, upTo: end)
            }
            advanced = try await advanceSlot(control, beyond: advanced)
        }
        for session in [current, other].compactMap({ $0 }) { await session.connection.close() }
        await control.close()
    }

    private var action: String { "Catching up with slot \(slot.name)" }

    // MARK: Statements

    private func backlog(_ connection: Connection, behind lsn: UInt64) async throws -> UInt64 {
        let rows = try await connection.query("SELECT pg_current_wal_lsn()", [], action)
        let current = LSN.parse(rows.text(0, 0)) ?? 0
        return current > lsn ? current - lsn : 0
    }

    private func openSession(_ control: Connection, at start: UInt64) async throws -> Session {
        let session = Session(
            connection: try await Connection.open(parameters), copy: "sluice_catchup_\(String(UInt64.random(in: 0 ... .max), radix: 36))")
        try await session.connection.query("SELECT pg_copy_logical_replication_slot($1, $2, true)", [slot.name, session.copy], action)
        try await session.connection.query(Self.memorySettings, [], action)
        if start > (try await confirmed(control, session.copy)) { try await advance(session.connection, session.copy, to: start) }
        return session
    }

    /// Large transactions decode twice as fast when they are not spilled; a server with little memory of its own is asked for little more.
    private static let memorySettings = """
        SELECT set_config('work_mem', '64MB', false), set_config('logical_decoding_work_mem',
          greatest(65536, least(262144, pg_size_bytes(current_setting('shared_buffers')) / 1024))::text, false)
        WHERE current_setting('server_version_num')::int >= 130000
        """

    private func confirmed(_ connection: Connection, _ name: String) async throws -> UInt64 {
        let rows = try await connection.query("SELECT confirmed_flush_lsn FROM pg_catalog.pg_replication_slots WHERE slot_name = $1", [name], action)
        guard rows.count == 1, let lsn = LSN.parse(rows.text(0, 0)) else {
            throw ConnectorError("postgres.catch_up", .stop, "\(action): its copy \(name) is gone")
        }
        return lsn
    }

    private func advance(_ connection: Connection, _ name: String, to lsn: UInt64) async throws {
        try await connection.query("SELECT pg_replication_slot_advance($1, $2::pg_lsn)", [name, LSN.text(lsn)], action)
    }

    private func begin(_ session: Session, upTo end: UInt64) async throws {
        let list = options.flatMap { [literal($0.0), literal($0.1)] }.joined(separator: ", ")
        try await session.connection.startCopy(
            """
            COPY (SELECT lsn, data FROM pg_logical_slot_get_binary_changes(\(literal(session.copy)), '\(LSN.text(end))', NULL, \(list))) \
            TO STDOUT (FORMAT binary)
            """, action)
    }

    /// Lets the other session decode the next stretch while this one's is read.
    private func prepare(_ session: Session?, at boundary: UInt64, upTo end: UInt64) async throws {
        guard let session else { return }
        try await advance(session.connection, session.copy, to: boundary)
        try await begin(session, upTo: end)
    }

    /// Releases WAL the log has made durable, now and then: moving a slot reads the WAL once more.
    private func advanceSlot(_ control: Connection, beyond advanced: UInt64) async throws -> UInt64 {
        let flushed = flushed()
        guard flushed > advanced + Self.longest else { return advanced }
        // The walsender of a run before may still have the slot.
        try? await advance(control, slot.name, to: flushed)
        return flushed
    }

    // MARK: Frames

    private func forward(_ first: [UInt8]?, _ session: Session) async throws {
        var rows = CatchUpRows()
        var bytes = first
        while let chunk = bytes {
            await push(try rows.frames(chunk))
            bytes = try await session.connection.nextCopyChunk(Self.gatherBytes, action)
        }
    }

    /// Invariant 5: the queue is bounded; the server waits in COPY.
    private func push(_ chunk: ChunkQueue.Chunk) async {
        guard !chunk.bytes.isEmpty else { return }
        if queue.isFull {
            while !queue.hasRoomAgain, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(2)) }
        }
        queue.push(chunk)
    }

    private static func keepalive(_ lsn: UInt64) -> ChunkQueue.Chunk {
        var frame: [UInt8] = [UInt8(ascii: "k")]
        withUnsafeBytes(of: lsn.bigEndian) { frame.append(contentsOf: $0) }
        frame.append(contentsOf: [UInt8](repeating: 0, count: 9))
        var chunk = ChunkQueue.Chunk()
        frame.withUnsafeBytes { chunk.append($0) }
        return chunk
    }
}

/// Turns rows (pg_lsn, bytea) of a binary COPY stream into replication frames.
struct CatchUpRows {
    private var sawHeader = false

    /// The bytes are whole CopyData messages, so whole rows. Throws `postgres.malformed_message`.
    mutating func frames(_ bytes: [UInt8]) throws -> ChunkQueue.Chunk {
        var chunk = ChunkQueue.Chunk()
        chunk.bytes.reserveCapacity(bytes.count + bytes.count / 8)
        try bytes.withUnsafeBytes { bytes in
            do throws(MalformedMessage) {
                var cursor = ByteCursor(bytes)
                if !sawHeader {
                    try cursor.skip(15)
                    try cursor.skip(Int(try cursor.int32()))
                    sawHeader = true
                }
                while cursor.remaining > 0 {
                    let fields = try cursor.int16()
                    if fields == -1 { return }
                    guard fields == 2, try cursor.int32() == 8 else { throw MalformedMessage(at: cursor.position, of: bytes.count) }
                    let lsn = try cursor.take(8)
                    let data = try cursor.take(Int(try cursor.int32()))
                    chunk.appendData(lsn: lsn, data)
                }
            } catch {
                throw error.located(in: "stretch of changes")
            }
        }
        return chunk
    }
}

extension ChunkQueue.Chunk {
    /// An XLogData frame; its time is not known.
    fileprivate mutating func appendData(lsn: UnsafeRawBufferPointer, _ data: UnsafeRawBufferPointer) {
        withUnsafeBytes(of: UInt32(25 + data.count)) { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "w"))
        bytes.append(contentsOf: lsn)
        bytes.append(contentsOf: lsn)
        for _ in 0..<8 { bytes.append(0) }
        bytes.append(contentsOf: data)
    }
}
