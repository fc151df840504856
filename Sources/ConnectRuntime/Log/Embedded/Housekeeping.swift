import ConnectAPI

/// What the writer does between commits: frees blobs nobody refers to, gives pages back to the disk. In steps of a few milliseconds, each
/// its own commit, so that an append never waits long.
struct Housekeeping {
    private static let stepBytes: Int64 = 4 << 20
    private static let vacuumPages = 512
    /// Free pages are used again by the next batches; only a large surplus goes back to the disk.
    private static let surplusBytes: Int64 = 64 << 20
    /// Between two steps while commits go on.
    private static let pause: Int64 = 50_000_000

    private enum Work { case none, garbage, surplus }
    /// A crash may have left garbage.
    private var work = Work.garbage
    private var last: Int64 = 0
    private let log = Logger("sluice.log.housekeeping")

    var hasWork: Bool { if case .none = work { false } else { true } }
    var isDue: Bool { hasWork && monotonicNow - last >= Self.pause }

    mutating func garbageWasMade() { work = .garbage }

    mutating func step(_ db: Database) {
        do {
            switch work {
            case .none: break
            case .garbage: if try !freeGarbage(db) { work = .surplus }
            case .surplus: if try !vacuum(db) { work = .none }
            }
        } catch {
            if db.isInTransaction { try? db.run("ROLLBACK") }
            // The next trimmed batch makes it try again.
            work = .none
            log.warn("Space of deleted batches was not freed, the next round tries again: \(error)")
        }
        last = monotonicNow
    }

    /// False: nothing is left.
    private func freeGarbage(_ db: Database) throws -> Bool {
        var blobs: [Int64] = [], bytes: Int64 = 0
        try db.rows("SELECT blob, stored FROM garbage LIMIT 512") { row in
            guard blobs.isEmpty || bytes + row.integer(1) <= Self.stepBytes else { return }
            blobs.append(row.integer(0))
            bytes += row.integer(1)
        }
        guard !blobs.isEmpty else { return false }
        try db.run("BEGIN IMMEDIATE")
        for blob in blobs {
            try db.run("DELETE FROM blobs WHERE id = ?", .integer(blob))
            try db.run("DELETE FROM garbage WHERE blob = ?", .integer(blob))
        }
        try db.run("COMMIT")
        return true
    }

    private func vacuum(_ db: Database) throws -> Bool {
        let free = try db.integer("PRAGMA freelist_count") ?? 0, pages = try db.integer("PRAGMA page_count") ?? 0
        guard free * Int64(LogSchema.pageSize) > Self.surplusBytes, free * 4 > pages else { return false }
        try db.execute("PRAGMA incremental_vacuum(\(Self.vacuumPages))")
        return true
    }
}
