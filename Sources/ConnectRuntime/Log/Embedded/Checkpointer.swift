import CSQLite
import ConnectAPI

/// Moves pages from the WAL to the database on a thread and a connection of its own, so that no commit waits for it.
///
/// A passive checkpoint blocks nobody but leaves the WAL growing while commits go on without a pause. When it has become long,
/// the writer is asked to restart it: what is left to move is then only what came during the passive round.
final class Checkpointer: Sendable {
    private static let passiveBytes = 8 << 20
    private static let restartBytes = 32 << 20

    private struct State {
        var requested = false
        var stopping = false
        var isRunning = false
        /// Frames the last round moved: another round is worth it some megabytes later.
        var moved = 0
        var restart = false
        var ended: (@Sendable () -> Void)?
    }
    private let state = Monitor(State())
    private let log = Logger("sluice.log.checkpoint")

    /// The database must exist.
    init(path: String) {
        startThread { [self] in run(path) }
    }

    /// What the writer says after each commit. True: the writer should restart the WAL now.
    func walHolds(frames: Int) -> Bool {
        let bytesPerFrame = LogSchema.pageSize + 24
        return state.notify { state in
            if frames < state.moved { state.moved = 0 }
            if state.isRunning { return false }
            if state.restart {
                state.restart = false
                return frames * bytesPerFrame >= Self.restartBytes
            }
            if (frames - state.moved) * bytesPerFrame >= Self.passiveBytes {
                state.requested = true
                state.isRunning = true
            }
            return false
        }
    }

    func stop() async {
        await withCheckedContinuation { continuation in
            state.notify { state in
                state.stopping = true
                state.ended = { continuation.resume() }
            }
        }
    }

    private func run(_ path: String) {
        var db: Database?
        while state.wait(for: { state in
            if state.requested {
                state.requested = false
                return true
            }
            return state.stopping ? false : nil
        }) {
            do {
                if db == nil {
                    db = try Database(path: path, .readWrite)
                    // A connection that has read nothing does not know of the WAL and would move nothing.
                    try db?.execute("PRAGMA wal_autocheckpoint=0; SELECT count(*) FROM sqlite_schema")
                }
                let (frames, moved) = try db!.checkpoint(SQLITE_CHECKPOINT_PASSIVE)
                state.withLock { state in
                    state.moved = moved
                    state.restart = frames * (LogSchema.pageSize + 24) >= Self.restartBytes
                }
            } catch {
                log.warn("A checkpoint failed, the next one tries again: \(error)")
            }
            state.withLock { $0.isRunning = false }
        }
        db = nil
        state.withLock { $0.ended }?()
    }
}
