import Synchronization

/// Working memory that one thread needs while it encodes, lent by a pool so that a thousand open files hold it once a thread.
///
/// `@unchecked Sendable`: an instance is either in the pool, where nobody else has a reference, or with the one borrower that took it out
/// under the pool's lock.
final class EncoderScratch: @unchecked Sendable {
    var compressor = Compressor()
    /// A page before compression.
    var page = ByteBuffer()
    /// A page after compression.
    var compressed = ByteBuffer()
    /// Dense copies of the values of a block whose rows have gaps.
    var gathered = ByteBuffer()
    /// Where the byte strings of a block begin and end.
    var starts = ByteBuffer()
    var ends = ByteBuffer()
    /// Marks of the dictionary entries that a page uses.
    var marks: [Bool] = []

    private init() {}

    private static let idle = Mutex<[EncoderScratch]>([])
    /// More are let go: they hold a few MiB each.
    private static let kept = 4

    static func borrow<R, E: Error>(_ body: (EncoderScratch) throws(E) -> R) throws(E) -> R {
        let scratch = idle.withLock { $0.popLast() } ?? EncoderScratch()
        defer { idle.withLock { if $0.count < kept { $0.append(scratch) } } }
        return try body(scratch)
    }
}
