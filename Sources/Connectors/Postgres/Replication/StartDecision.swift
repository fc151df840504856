import ConnectAPI

/// What a start does, decided from the stored position and the slot: sans I/O.
///
/// A position before the slot's means that the WAL between is gone: the slot was dropped, made anew or moved by someone. That is never passed
/// over in silence.
enum StartDecision: Equatable {
    /// Read every captured table, then stream from the snapshot's point.
    case snapshot
    /// Read the tables the ledger does not have, then stream from the position.
    case resumeSnapshot(StreamPosition)
    case stream(StreamPosition)
    /// Stream from wherever the slot stands, or from its creation.
    case streamFromSlot
    case nothing

    /// - Parameter objection: why the position is not of this server's log; nil: it is.
    static func make(
        _ configuration: PostgresConfiguration, stored: StreamPosition?, slot: Slot.State?, objection: ConnectorError? = nil
    ) throws -> StartDecision {
        let mode = configuration.mode
        let snapshots = mode == .configurationBased ? configuration.snapshotModeConfigurationBasedSnapshotData : mode != .noData
        guard let stored else {
            if snapshots { return .snapshot }
            if slot?.walStatus == "lost" { throw lost(configuration.slotName, wayOut: "") }
            return .streamFromSlot
        }

        if let progress = stored.snapshot, !progress.isCompleted {
            guard snapshots else {
                throw ConnectorError(
                    "postgres.snapshot_unfinished", .stop, "The stored offset is of an unfinished snapshot, and snapshot.mode=\(mode.rawValue) takes none",
                    hint: "Finish it with snapshot.mode=initial, or delete the connector's offsets")
            }
            guard configuration.streams else { return .resumeSnapshot(stored) }
            // Without the WAL since the finished tables were read, they would have a gap.
            guard objection == nil, let slot, slot.walStatus != "lost", (slot.confirmedFlushLSN ?? 0) <= stored.committed else { return .snapshot }
            return .resumeSnapshot(stored)
        }
        if mode == .always { return .snapshot }
        guard configuration.streams else { return .nothing }
        guard let reason = objection ?? gap(configuration, stored, slot) else { return .stream(stored) }
        let snapshotsAgain = mode == .whenNeeded || mode == .configurationBased && configuration.snapshotModeConfigurationBasedSnapshotOnDataError
        if snapshotsAgain { return .snapshot }
        switch (configuration.offsetMismatch, slot?.confirmedFlushLSN) {
        case (.trustSlot, let confirmed?) where objection != nil: return .stream(moved(stored, to: confirmed))
        case (.trustSlot, let confirmed?), (.trustGreaterLSN, let confirmed?):
            guard objection == nil else { throw reason }
            return .stream(moved(stored, to: max(stored.committed, confirmed)))
        default: throw reason
        }
    }

    private static func moved(_ stored: StreamPosition, to lsn: UInt64) -> StreamPosition {
        var moved = stored
        moved.committed = lsn
        moved.partial = nil
        return moved
    }

    private static func lost(_ name: String, after position: String? = nil, wayOut: String) -> ConnectorError {
        ConnectorError(
            "postgres.slot_lost", .stop,
            "Replication slot \(name) lost WAL it needed (wal_status=lost): changes\(position.map { " after \($0)" } ?? "") cannot be read any more",
            hint: "Drop the slot and raise max_slot_wal_keep_size. \(wayOut)")
    }

    private static func gap(_ configuration: PostgresConfiguration, _ stored: StreamPosition, _ slot: Slot.State?) -> ConnectorError? {
        let name = configuration.slotName, position = LSN.text(stored.committed)
        let wayOut = "Delete the connector's offsets to take a new snapshot, or set snapshot.mode=when_needed to do so by itself"
        guard let slot else {
            return ConnectorError(
                "postgres.slot_missing", .stop,
                "Replication slot \(name) does not exist, but the stored offset is at \(position): changes since then cannot be read any more", hint: wayOut)
        }
        if slot.walStatus == "lost" { return lost(name, after: position, wayOut: wayOut) }
        guard configuration.internalLogPositionCheckEnable, let confirmed = slot.confirmedFlushLSN, confirmed > stored.committed else { return nil }
        return ConnectorError(
            "postgres.offset_gone", .stop,
            "The stored offset is at \(position), but slot \(name) begins at \(LSN.text(confirmed)): it was made anew or moved, and changes between are no longer available on the server",
            hint: "\(wayOut); or accept the gap with offset.mismatch.strategy=trust_slot")
    }
}
