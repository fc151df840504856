import ConnectAPI
import Synchronization

/// Which uploads run, end and fail: written by uploads, read by the task.
final class UploadProgress: Sendable {
    private struct File {
        /// Bytes handed over and not stored yet.
        var bytes = 0
        /// The last byte was handed over: the upload ends by itself.
        var isComplete = false
        var failing: ConnectorError?
    }
    private struct State {
        var bytes = 0
        var files: [Int: File] = [:]
        var ended: [(number: Int, outcome: FileUpload.Outcome)] = []
    }
    private let state = Mutex(State())
    private let signal: AsyncStream<Void>.Continuation
    private let signals: AsyncStream<Void>
    private let log: Logger

    init(_ log: Logger) {
        self.log = log
        (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Bytes on their way.
    var bytes: Int { state.withLock { $0.bytes } }
    /// Whether something is on its way: parts, or the end of a file.
    var isBusy: Bool { state.withLock { $0.files.values.contains { $0.bytes > 0 || $0.isComplete } } }
    /// Why a file is not getting through at the moment.
    var failing: ConnectorError? { state.withLock { $0.files.values.lazy.compactMap(\.failing).first } }

    /// Waits for bytes to be stored, an upload to end or to fail; cancellation ends the wait.
    func wait() async { for await _ in signals { return } }

    /// The uploads that ended since the last call.
    func takeEnded() -> [(number: Int, outcome: FileUpload.Outcome)] {
        state.withLock { state in
            defer { state.ended = [] }
            return state.ended
        }
    }

    func started(_ number: Int) { state.withLock { $0.files[number] = File() } }

    func handedOver(_ number: Int, bytes: Int, last: Bool) {
        state.withLock {
            guard $0.files[number] != nil else { return }
            $0.bytes += bytes
            $0.files[number]!.bytes += bytes
            $0.files[number]!.isComplete = last
        }
    }

    func stored(_ number: Int, bytes: Int) {
        state.withLock {
            guard $0.files[number] != nil else { return }
            $0.bytes -= bytes
            $0.files[number]!.bytes -= bytes
        }
        signal.yield()
    }

    func ended(_ number: Int, _ outcome: FileUpload.Outcome) {
        state.withLock {
            $0.bytes -= $0.files.removeValue(forKey: number)?.bytes ?? 0
            $0.ended.append((number, outcome))
        }
        signal.yield()
    }

    /// A step of the file did not get through and is tried again. Says so once for all files that fail together.
    func failing(_ file: FileIdentity, _ error: ConnectorError) {
        let isFirst = state.withLock { state in
            let isFirst = !state.files.values.contains { $0.failing != nil }
            state.files[file.number]?.failing = error
            return isFirst
        }
        if isFirst { log.warn("A file of \(file.partition) from offset \(file.start) waits to be stored: \(error)") }
        signal.yield()
    }

    func recovered(_ number: Int) {
        let isLast = state.withLock { state in
            guard state.files[number]?.failing != nil else { return false }
            state.files[number]?.failing = nil
            return !state.files.values.contains { $0.failing != nil }
        }
        if isLast { log.info("Files are stored again") }
    }
}
