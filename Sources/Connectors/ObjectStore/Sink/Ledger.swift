import ConnectAPI
import Synchronization

/// Exactly-once for names that do not follow from the records (`exactly.once.mode=ledger`): what is stored is what the ledger lists.
///
///     files of a set: begin ─▶ parts ─▶ sealed, not visible        in parallel, while the set before is on its way
///                                         └─▶ <topics.dir>/_ledger/<topic>/<partition>/<number>.json, created only where there is none
///                                                └─▶ the uploads are completed: the files are visible
///
/// The entry is the commit. Entries have no gaps, each begins at the first record after the one before it, and a set's files hold all records of
/// that stretch. So whoever writes the next number first, a task or the one that was given up and does not know it, no record is in two sets; the
/// other one finds the number taken, drops its uploads and reads again (`FileConflict`'s disposition). Nothing of a set that lost was ever
/// visible. A crash after the entry leaves uploads that the entry names: whoever opens the ledger completes them.
final class Ledger: Sendable {
    private let lane: Lane.Identity
    private let connector: String
    private let context: UploadContext
    private let state: Mutex<(last: LedgerEntry?, isProven: Bool)>

    /// Where this task's view of the ledger ends.
    var last: LedgerEntry? { state.withLock { $0.last } }
    /// Every record before this offset is stored.
    var next: Int64 { last?.next ?? .min }

    private init(_ lane: Lane.Identity, connector: String, _ context: UploadContext, last: LedgerEntry?) {
        (self.lane, self.connector, self.context) = (lane, connector, context)
        state = Mutex((last, false))
    }

    /// A number of the set's own, for its files' metadata.
    static func drawID() -> String { String(UInt64.random(in: 0...UInt64.max), radix: 16) }

    /// The metadata that ties a file to its set.
    static let metadataKey = "kafka-set"

    // MARK: Opening

    /// Reads the last entry and makes its files visible. Entries before it are complete: one is written after the files of the last.
    static func open(_ lane: Lane.Identity, connector: String, _ context: UploadContext) async throws -> Ledger {
        let directory = context.naming.chainDirectory(.ledger, lane), keys = try await context.store.list(directory, limit: 1)
        var last: LedgerEntry?
        if let key = keys.first {
            guard let number = context.naming.chainNumber(key, in: directory) else { throw unreadable(key, context) }
            last = try await read(number, lane, context)
        }
        // A listing may be behind.
        while let later = try await read((last?.number ?? -1) + 1, lane, context) { last = later }
        let ledger = Ledger(lane, connector: connector, context, last: last)
        if let last {
            guard last.connector == connector else { throw ledger.foreign(last) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for file in last.files { group.addTask { try await ledger.show(file, of: last) } }
                try await group.waitForAll()
            }
        }
        return ledger
    }

    private static func read(_ number: Int64, _ lane: Lane.Identity, _ context: UploadContext) async throws -> LedgerEntry? {
        let key = context.naming.chainName(.ledger, lane, number)
        guard let bytes = try await context.store.read(key, 0..<(64 << 20)) else { return nil }
        guard let entry = LedgerEntry(bytes), entry.number == number else { throw unreadable(key, context) }
        return entry
    }

    private static func unreadable(_ key: String, _ context: UploadContext) -> ConnectorError {
        ConnectorError(
            "objectstore.ledger", .stop, "\(key) in \(context.store.place) is no entry of a ledger",
            hint: "Move away what is not this connector's below _ledger; of its own entries restore the last one")
    }

    private func foreign(_ entry: LedgerEntry) -> ConnectorError {
        ConnectorError(
            "objectstore.conflict", .stop,
            "\(context.naming.chainName(.ledger, lane, entry.number)) in \(context.store.place) was written by connector '\(entry.connector)'",
            hint: "Two connectors keep one ledger: give this one another topics.dir, or move the old ledger and its files away")
    }

    /// A topic that was created anew has other records at the offsets the ledger knows.
    func check(_ offset: Int64, _ timestamp: Int64) throws {
        guard let last else { return }
        for known in [last.origin, last.first] where known.offset == offset && known.timestamp != timestamp {
            throw ConnectorError(
                "objectstore.conflict", .stop,
                "The ledger of \(lane.partition) in \(context.store.place) knows another record of offset \(offset) than the topic has now",
                hint:
                    "The topic was created anew: give this connector another topics.dir, or move the old files and \(context.naming.chainDirectory(.ledger, lane)) away"
            )
        }
    }

    // MARK: Storing

    /// Commits a set: afterwards it is part of the store, whether or not its files are visible yet. Throws `.restart` when another task was
    /// first, and the set is not and never will be part of it. Called for one set after the other; `taken` is a name that cannot be had.
    func commit(_ id: String, first: LedgerEntry.Record, next: Int64, _ files: [SealedFile], taken: String?) async throws -> LedgerEntry {
        let (last, isProven) = state.withLock { $0 }
        let entry = LedgerEntry(
            number: (last?.number ?? -1) + 1, id: id, connector: connector, first: first, origin: last?.origin ?? first, next: next, files: files)
        let key = context.naming.chainName(.ledger, lane, entry.number), store = context.store, attributes = ObjectAttributes(contentType: "application/json")
        var isTaken = taken != nil
        if !isTaken { isTaken = try await store.put(key, entry.json, attributes, ifAbsent: true) == .exists }
        if isTaken {
            guard let there = try await Self.read(entry.number, lane, context) else {
                throw ConnectorError(
                    "objectstore.conflict", .stop,
                    "\(taken ?? key) in \(store.place) exists and is in no entry of \(context.naming.chainDirectory(.ledger, lane))",
                    hint:
                        "The ledger was removed, or files of a run without it lie beyond the committed offset: move the object away and restart the task, or give this connector another topics.dir"
                )
            }
            guard there.id == id else {
                context.metrics.conflicted()
                throw overtaken(by: there, key, store.place)
            }
        }
        if !isProven {
            guard try await store.put(key, entry.json, attributes, ifAbsent: true) == .exists, store.knowsConditions else {
                throw ConnectorError(
                    "objectstore.conditions", .stop, "\(store.place) does not know conditional writes (If-None-Match), which exactly.once.mode=ledger needs",
                    hint: "Remove exactly.once.mode and name files by topic, partition and start offset, or ask the service for conditional writes")
            }
        }
        state.withLock { $0 = (entry, true) }
        return entry
    }

    /// A name of the set that there is already. After the commit there is no other choice, so it is looked for before.
    func taken(_ files: [SealedFile]) async throws -> String? {
        try await withThrowingTaskGroup(of: String?.self) { group in
            for file in files { group.addTask { [context] in try await context.store.head(file.upload.key) == nil ? nil : file.upload.key } }
            for try await key in group { if let key { return key } }
            return nil
        }
    }

    /// Makes a file of a committed set visible.
    func show(_ file: SealedFile, of entry: LedgerEntry) async throws {
        do {
            if try await context.store.complete(file.upload, file.parts, file.attributes, ifAbsent: true) == .stored { return }
        } catch let error as ConnectorError where error.code.hasSuffix("upload_gone") {
            let name = context.naming.chainName(.ledger, lane, entry.number)
            throw ConnectorError(
                "objectstore.ledger_upload_gone", .stop, "The bytes of \(file.upload.key) in \(context.store.place), which \(name) lists, are gone",
                hint:
                    "Delete the objects that \(name) lists, and it; then restart the task: records from offset \(entry.first.offset) on are read again. A lifecycle rule must keep unfinished uploads longer than a connector may be down",
                underlying: error)
        }
        // Another attempt, or another task that read the entry.
        if try await context.store.head(file.upload.key)?.metadata[Self.metadataKey] == entry.id { return }
        throw ConnectorError(
            "objectstore.ledger_name_taken", .stop,
            "\(file.upload.key) in \(context.store.place) exists and is not the file that \(context.naming.chainName(.ledger, lane, entry.number)) lists",
            hint: "Move the object away and restart the task, which puts the file in its place. Names with {{topic}} tell topics apart")
    }

    /// Of a commit: the set is not and never will be part of the ledger.
    static func isRefusal(_ error: any Error) -> Bool {
        (error as? ConnectorError).map { $0.code == "objectstore.overtaken" || $0.code == "objectstore.conflict" } ?? false
    }

    private func overtaken(by entry: LedgerEntry, _ key: String, _ place: String) -> ConnectorError {
        if entry.connector != connector { return foreign(entry) }
        return ConnectorError(
            "objectstore.overtaken", .restart,
            "\(key) in \(place) was written by another task of this connector: \(lane.partition) from offset \(entry.first.offset) up to \(entry.next)",
            hint: "The task goes on after it by itself; if this comes again and again, two workers run a connector of this name for one topic")
    }
}
