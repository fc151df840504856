import ConnectAPI
import Glibc

/// The channel `file`: one signal a line; the file is emptied once it has been read.
struct FileSignals {
    private let path: String
    private let interval: Duration
    private var next = ContinuousClock.now
    private let log: Logger

    init(path: String, interval: Duration, log: Logger) {
        self.path = path
        self.interval = interval
        self.log = log
    }

    /// The signals that came since the last call, looked for once an interval.
    mutating func due() -> [Signal] {
        guard ContinuousClock.now >= next else { return [] }
        next = .now + interval
        let descriptor = open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0, bytes.count < 16 << 20 else { break }
            bytes += buffer[..<count]
        }
        guard !bytes.isEmpty else { return [] }
        guard ftruncate(descriptor, 0) == 0 else {
            log.warn("The signal file \(path) cannot be emptied, so its signals are not taken: make it writable")
            return []
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
            guard !line.allSatisfy(\.isWhitespace) else { return nil }
            let signal = Signal(json: String(line))
            if signal == nil { log.warn("A line of the signal file \(path) is no signal: write {\"id\":…,\"type\":…,\"data\":{…}} on one line") }
            return signal
        }
    }
}
