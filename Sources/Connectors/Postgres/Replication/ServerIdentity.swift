import ConnectAPI

/// Which server's log a position is of, and on which timeline: LSNs of two logs mean nothing to each other.
///
/// A restored backup has the old system identifier and a new timeline; a new cluster behind an old host name has another identifier. Both may
/// have the slot, and LSNs beyond the stored one, so nothing else would tell.
struct ServerIdentity: Sendable, Hashable {
    let systemID: String
    let timeline: UInt32
    /// Where the timeline left its parent; 0 on the first. Two restores of one backup may give two timelines the same number.
    var timelineStart: UInt64 = 0

    /// What the server says of itself at a start.
    struct Report: Sendable {
        let identity: ServerIdentity
        /// The end of its log; nil on a standby, whose log may begin before what was read of it.
        let end: UInt64?
        let history: TimelineHistory
    }

    /// Asks on a replication connection.
    static func ask(_ parameters: ConnectionParameters, isStandby: Bool) async throws -> Report {
        let connection = try await Connection.open(parameters, for: .replication)
        do {
            let rows = try await connection.raw("IDENTIFY_SYSTEM")
            let timeline = UInt32(rows.text(0, 1)) ?? 0
            let history = timeline > 1 ? TimelineHistory(try await connection.raw("TIMELINE_HISTORY \(timeline)").text(0, 1)) : TimelineHistory("")
            await connection.close()
            let identity = ServerIdentity(systemID: rows.text(0, 0), timeline: timeline, timelineStart: history.ancestors.last?.end ?? 0)
            return Report(identity: identity, end: isStandby ? nil : LSN.parse(rows.text(0, 2)), history: history)
        } catch let error as ServerError {
            throw error.connectorError("Identifying the server", parameters)
        }
    }
}

/// The ancestors of a timeline in order, and where each was left.
struct TimelineHistory: Sendable {
    private(set) var ancestors: [(timeline: UInt32, end: UInt64)] = []

    /// Reads a timeline history file: lines of number, LSN and reason.
    init(_ text: String) {
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let parts = line.split(whereSeparator: { $0 == "\t" || $0 == " " })
            if parts.count >= 2, let timeline = UInt32(parts[0]), let end = LSN.parse(String(parts[1])) { ancestors.append((timeline, end)) }
        }
    }

    /// Where an ancestor was left; nil: it is none.
    func end(of identity: ServerIdentity) -> UInt64? {
        guard let i = ancestors.firstIndex(where: { $0.timeline == identity.timeline }) else { return nil }
        return (i == 0 ? 0 : ancestors[i - 1].end) == identity.timelineStart ? ancestors[i].end : nil
    }
}

extension ServerIdentity.Report {
    /// Why a stored position is not one of this server's log; nil: it is, as far as can be told.
    func objection(to stored: StreamPosition, slot: String) -> ConnectorError? {
        let position = LSN.text(stored.committed)
        let wayOut =
            "If this is the right server, take a new snapshot: delete the connector's offsets, or set snapshot.mode=when_needed to do so by itself"
        if let known = stored.server, known.systemID != identity.systemID {
            return ConnectorError(
                "postgres.server_changed", .stop,
                "The stored offset is of the server with system identifier \(known.systemID), and this one is \(identity.systemID): \(position) means another place in its log",
                hint: "Check database.hostname and database.port. \(wayOut)")
        }
        if let known = stored.server, known != identity {
            let left = history.end(of: known)
            guard let left, stored.isWithin(left) else {
                return ConnectorError(
                    "postgres.timeline_diverged", .stop,
                    "The stored offset is at \(position) on timeline \(known.timeline), which the server left "
                        + (left.map { "at \(LSN.text($0))" } ?? "or never had") + ": changes read since then are not in its history",
                    hint: "The server was restored or failed over to a standby that had not received everything. \(wayOut)")
            }
        }
        guard let end, stored.committed > end else { return nil }
        return ConnectorError(
            "postgres.offset_ahead", .stop,
            "The stored offset is at \(position), and the server's log ends at \(LSN.text(end)): it was restored to an earlier state",
            hint: "\(wayOut). Slot \(slot) must be dropped first if it is older than the restore")
    }
}

extension StreamPosition {
    /// Everything emitted had committed before this LSN.
    fileprivate func isWithin(_ lsn: UInt64) -> Bool {
        guard committed <= lsn else { return false }
        // An offset of ours without an ordinal is of whole transactions.
        guard let partial, partial.changes != nil else { return true }
        return partial.finalLSN.map { $0 < lsn } ?? false
    }
}
