import ConnectAPI

/// The tables of `sluice.db`, and how a connection is set up.
///
///     partitions ─┬─ batches (index rows) ── blobs (encoded columns) ── schemas, renderings (shared, by number)
///                 └─ staged  (units out of sight)  ─┘     garbage: blobs nobody refers to any more, freed in small steps
///     source_positions, consumer_offsets                  connectors, statuses, connector_topics, meta
///
/// Index rows lie apart from blobs so that publishing a unit and trimming a topic touch small rows only.
enum LogSchema {
    static let fileName = "sluice.db"
    private static let version: Int64 = 1
    /// Marks the file as ours ("Slce").
    private static let applicationID: Int64 = 0x536C_6365

    /// Bytes of a page. 4 to 32 KiB take the same time for large batches (log-benchmark append, within noise); the smallest writes the least
    /// for a small commit.
    static let pageSize = 4096

    /// Sets up a connection that may write; makes the tables of a new file. Throws `log.version` for a file of a later version.
    static func prepare(_ db: Database) throws {
        // Page size and auto_vacuum count only before the first page is written.
        try db.execute("PRAGMA page_size=\(pageSize); PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL")
        try tune(db)
        // Every commit is on the disk when it returns: the log is what upstream's acknowledgements rest on (Invariant 1).
        // Checkpoints are the checkpointer's; freed pages need no zeros.
        try db.execute("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA secure_delete=OFF; PRAGMA journal_size_limit=67108864")
        let found = try db.integer("PRAGMA user_version") ?? 0
        let owner = try db.integer("PRAGMA application_id") ?? 0
        guard found <= version, owner == applicationID || (owner == 0 && found == 0) else {
            throw ConnectorError(
                "log.version", .stop, "The database \(db.path) has version \(found), this program knows \(version)",
                hint: "Run the version that wrote it, or a later one")
        }
        guard found == 0 else { return }
        try db.execute("BEGIN IMMEDIATE;\(tables)PRAGMA application_id=\(applicationID); PRAGMA user_version=\(version); COMMIT")
    }

    /// Sets up a connection that only reads.
    static func prepareReader(_ db: Database) throws {
        try tune(db)
        try db.execute("PRAGMA query_only=ON")
    }

    private static func tune(_ db: Database) throws {
        try db.execute("PRAGMA cache_size=-2048; PRAGMA temp_store=MEMORY")
    }

    private static let tables = """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE schemas (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
        CREATE TABLE renderings (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
        CREATE TABLE partitions (
            id INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL,
            first_offset INTEGER NOT NULL, end_offset INTEGER NOT NULL, UNIQUE (topic, partition));
        CREATE TABLE blobs (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
        CREATE TABLE batches (
            partition INTEGER NOT NULL, first_offset INTEGER NOT NULL, count INTEGER NOT NULL, blob INTEGER NOT NULL,
            memory INTEGER NOT NULL, stored INTEGER NOT NULL, rendering INTEGER NOT NULL, written INTEGER NOT NULL, seal INTEGER NOT NULL,
            PRIMARY KEY (partition, first_offset)) WITHOUT ROWID;
        CREATE TABLE staged (
            connector TEXT NOT NULL, unit TEXT NOT NULL, sequence INTEGER NOT NULL, partition INTEGER NOT NULL, count INTEGER NOT NULL,
            blob INTEGER NOT NULL, memory INTEGER NOT NULL, stored INTEGER NOT NULL, rendering INTEGER NOT NULL, checksum INTEGER NOT NULL,
            PRIMARY KEY (connector, unit, sequence)) WITHOUT ROWID;
        CREATE TABLE garbage (blob INTEGER PRIMARY KEY, stored INTEGER NOT NULL);
        CREATE TABLE source_positions (
            id INTEGER PRIMARY KEY, connector TEXT NOT NULL, identity BLOB NOT NULL, partition BLOB NOT NULL, position BLOB NOT NULL,
            UNIQUE (connector, identity));
        CREATE TABLE consumer_offsets (
            name TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
            PRIMARY KEY (name, topic, partition)) WITHOUT ROWID;
        CREATE TABLE connectors (
            name TEXT PRIMARY KEY, config BLOB NOT NULL, target_state TEXT NOT NULL, file TEXT) WITHOUT ROWID;
        CREATE TABLE statuses (
            connector TEXT NOT NULL, task INTEGER NOT NULL, state TEXT NOT NULL, trace TEXT, PRIMARY KEY (connector, task)) WITHOUT ROWID;
        CREATE TABLE connector_topics (
            id INTEGER PRIMARY KEY, connector TEXT NOT NULL, topic TEXT NOT NULL, UNIQUE (connector, topic));

        """
}

/// Ties an index row to its place and to its blob, so that a damaged index cannot pass one batch's records for another's.
enum BatchSeal {
    /// - Parameter checksum: the blob's own, see `BatchEnvelope.checksum(in:)`.
    static func make(partition: Int64, firstOffset: Int64, count: Int64, checksum: UInt32) -> Int64 {
        var seal: UInt64 = 0x9E37_79B9_7F4A_7C15
        for part in [UInt64(bitPattern: partition), UInt64(bitPattern: firstOffset), UInt64(bitPattern: count), UInt64(checksum)] {
            seal = (seal ^ part) &* 0xFF51_AFD7_ED55_8CCD
            seal ^= seal >> 32
        }
        return Int64(bitPattern: seal)
    }
}
