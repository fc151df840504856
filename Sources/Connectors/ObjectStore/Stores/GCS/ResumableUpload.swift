import ConnectAPI
import JSON
import Transport

/// A resumable session, without I/O: which bytes to send next, and what the answers mean.
///
///     part ─▶ waiting bytes ─▶ whole quanta of 256 KiB: PUT bytes a-b/*     ─▶ 308, Range: bytes=0-n   n + 1 bytes are safe, the rest stays
///                              the last ones:           PUT bytes a-b/total ─▶ 200                     the object is there
///     an answer that was lost:                          PUT bytes */*       ─▶ 308 or 200              what of it arrived
///
/// Follows https://cloud.google.com/storage/docs/performing-resumable-uploads. Bytes leave memory once the service says it has them, but for
/// the first few MiB, with which a session that was lost (404, 410) can begin anew.
struct ResumableUpload: Sendable {
    static let quantum = 256 << 10
    static let retainedBytes = 8 << 20

    /// Where the bytes go; whoever knows it may write, so it stays out of messages.
    private(set) var session: String
    /// What the service has.
    private(set) var persisted: Int64 = 0
    /// Bytes from `persisted` on.
    private var waiting: [UInt8] = []
    /// Bytes from the beginning; nil once the service has more than are kept.
    private var retained: [UInt8]? = []
    /// CRC32C of all bytes taken.
    private(set) var checksum: UInt32 = 0
    /// Parts taken.
    private(set) var parts = 0

    init(session: String) { self.session = session }

    var total: Int64 { persisted + Int64(waiting.count) }

    /// Takes the bytes of the next part.
    mutating func take(_ bytes: [UInt8]) {
        parts += 1
        checksum = Digest.crc32c(bytes, continuing: checksum)
        waiting += bytes
        if let kept = retained, kept.count < Self.retainedBytes { retained = kept + bytes.prefix(Self.retainedBytes - kept.count) }
    }

    /// The bytes to send next with their `Content-Range`; nil when less than a quantum waits and more is to come.
    func chunk(last: Bool) -> (range: String, body: [UInt8])? {
        if last {
            let range = waiting.isEmpty ? "bytes */\(total)" : "bytes \(persisted)-\(total - 1)/\(total)"
            return (range, waiting)
        }
        let size = waiting.count / Self.quantum * Self.quantum
        guard size > 0 else { return nil }
        return ("bytes \(persisted)-\(persisted + Int64(size) - 1)/*", Array(waiting[..<size]))
    }

    static let question = "bytes */*"

    enum Progress: Equatable {
        /// This many bytes became safe.
        case moved(Int64)
        /// The object is there; its checksum as the service computed it.
        case complete(checksum: String?)
        /// The service claims to have less than it said before, or more than it was sent.
        case impossible
    }

    /// Takes note of an answer of status 200, 201 or 308.
    mutating func answered(_ response: HTTPResponse) -> Progress {
        guard response.status == 308 else {
            return .complete(checksum: (try? JSONValue.parse(response.body))?["crc32c"]?.stringValue)
        }
        // Without the header nothing has arrived. Bytes past a whole quantum are sent again, which the service ignores.
        var has: Int64 = 0
        if let range = response.headers["range"] {
            guard let dash = range.lastIndex(of: "-"), let last = Int64(range[range.index(after: dash)...]), last >= 0, last < .max else { return .impossible }
            has = (last + 1) / Int64(Self.quantum) * Int64(Self.quantum)
        }
        guard has >= persisted, has <= total else { return .impossible }
        let moved = has - persisted
        waiting.removeFirst(Int(moved))
        persisted = has
        if persisted > Self.retainedBytes { retained = nil }
        return .moved(moved)
    }

    /// Begins anew in another session; false when the first bytes are not in memory any more.
    mutating func restart(session: String) -> Bool {
        let unkept = Int(persisted)
        if unkept > 0 {
            guard let retained, retained.count >= unkept else { return false }
            waiting = Array(retained[..<unkept]) + waiting
        }
        persisted = 0
        self.session = session
        return true
    }
}
