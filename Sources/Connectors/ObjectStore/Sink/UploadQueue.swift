import Synchronization

/// Lets whole files go a few at a time, in the order they ended, so that ten thousand files that end together wait as bytes and not as so many
/// half-sent requests. A file never waits for one that ended after it, so one that waits for its predecessor holds nobody up for good.
final class UploadQueue: Sendable {
    private struct State {
        var underWay = 0
        /// Those before `head` are gone.
        var waiting: [FileUpload?] = []
        var head = 0

        mutating func next() -> FileUpload? {
            guard head < waiting.count else {
                (waiting, head) = ([], 0)
                underWay -= 1
                return nil
            }
            defer {
                waiting[head] = nil
                head += 1
            }
            return waiting[head]
        }
    }
    /// More than the threads that send, so that these are never idle.
    private static let width = 32
    private let state = Mutex(State())

    /// Starts the upload when its turn comes.
    func enter(_ upload: FileUpload) {
        let isTurn = state.withLock { state in
            guard state.underWay == Self.width else {
                state.underWay += 1
                return true
            }
            state.waiting.append(upload)
            return false
        }
        if isTurn, !upload.start() { leave() }
    }

    /// An upload that was started has ended.
    func leave() {
        while let next = state.withLock({ $0.next() }) { if next.start() { return } }
    }
}
