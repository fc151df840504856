import ConnectAPI
import Synchronization

/// Which chunk belongs to which hypertable, and which hypertable holds a continuous aggregate, as TimescaleDB's catalog says.
///
///     a chunk not seen yet ──▶ Lookup ──▶ the catalog is read whole ──▶ known: kept for good; unknown: warned of, asked again 10 s later
///
/// A chunk's row in the catalog commits with the chunk, before or with its first rows, so a chunk that the catalog does not have when its rows arrive was
/// dropped since, or never was one.
final class TimescaleCatalog: Sendable {
    struct Table: Hashable, Sendable, CustomStringConvertible {
        let schema: String
        let name: String
        var description: String { "\(schema).\(name)" }
    }
    struct Owner: Sendable {
        let hypertable: Table
        /// The view whose rows the hypertable holds.
        let aggregate: Table?
    }

    private struct State {
        var owners: [Table: Owner] = [:]
        /// Tables that are no chunks, and when the catalog may be asked about them again.
        var strangers: [Table: ContinuousClock.Instant] = [:]
    }

    private let query: @Sendable (String) async throws -> [[String?]]
    private let state = Mutex(State())
    private let log = Logger("sluice.transforms.timescaledb")

    init(_ query: @escaping @Sendable (String) async throws -> [[String?]]) { self.query = query }

    /// The owners of those of these tables that are chunks. Throws `Lookup` when it must look first.
    func owners(of tables: Set<Table>) throws -> [Table: Owner] {
        let (known, missing) = state.withLock { state in
            let now = ContinuousClock.now
            return (
                state.owners.filter { tables.contains($0.key) },
                tables.filter { state.owners[$0] == nil && (state.strangers[$0].map { $0 <= now } ?? true) }
            )
        }
        if missing.isEmpty { return known }
        throw Lookup { [self] in try await load(for: missing) }
    }

    private func load(for missing: Set<Table>) async throws {
        let chunks = try await query(
            """
            SELECT c.schema_name, c.table_name, h.schema_name, h.table_name, a.user_view_schema, a.user_view_name
            FROM _timescaledb_catalog.chunk c JOIN _timescaledb_catalog.hypertable h ON h.id = c.hypertable_id
            LEFT JOIN _timescaledb_catalog.continuous_agg a ON a.mat_hypertable_id = h.id
            """)
        var owners: [Table: Owner] = [:]
        for row in chunks where row.count == 6 {
            guard let chunk = Self.table(row[0], row[1]), let hypertable = Self.table(row[2], row[3]) else { continue }
            owners[chunk] = Owner(hypertable: hypertable, aggregate: Self.table(row[4], row[5]))
        }
        let strangers = missing.filter { owners[$0] == nil }
        state.withLock { state in
            // A chunk that was dropped stays known: rows of it may still come.
            state.owners.merge(owners) { $1 }
            for table in strangers { state.strangers[table] = ContinuousClock.now + .seconds(10) }
            state.strangers = state.strangers.filter { owners[$0.key] == nil }
        }
        for chunk in strangers.sorted(by: { $0.description < $1.description }) { log.warn("Unable to find hypertable for chunk '\(chunk)'") }
    }

    private static func table(_ schema: String?, _ name: String?) -> Table? {
        guard let schema, let name else { return nil }
        return Table(schema: schema, name: name)
    }
}
