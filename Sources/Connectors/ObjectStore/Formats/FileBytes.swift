/// What happens to the bytes of a whole file on their way.
enum Compression: Sendable, Hashable {
    case none
    case gzip(GzipLevel)
    /// The framing of snappy-java's streams.
    case snappy
    case zstd

    /// What it adds to a name.
    var fileExtension: String {
        switch self {
        case .none: ""
        case .gzip: ".gz"
        case .snappy: ".snappy"
        case .zstd: ".zst"
        }
    }

    fileprivate var stream: (any CompressionStream)? {
        switch self {
        case .none: nil
        case .gzip(let level): GzipStream(level)
        case .snappy: SnappyStream()
        case .zstd: ZstdStream()
        }
    }
}

/// Compresses a stream of bytes.
protocol CompressionStream: AnyObject {
    /// Memory of its own.
    var heldBytes: Int { get }
    /// Appends what is finished to `out`; with `last`, everything.
    func compress(_ input: UnsafeRawBufferPointer, last: Bool, into out: inout [UInt8])
}

/// The bytes of a file that grows at its end, compressed on the way where asked for.
struct FileBytes {
    private var bytes: [UInt8] = []
    private var drainedBytes = 0
    private var stream: (any CompressionStream)?

    init(_ compression: Compression) { stream = compression.stream }
    init(_ level: GzipLevel?) { self.init(level.map { .gzip($0) } ?? .none) }

    var bufferedBytes: Int { bytes.capacity + (stream?.heldBytes ?? 0) }
    var drainableBytes: Int { bytes.count }
    var totalBytes: Int { drainedBytes + bytes.count }

    mutating func append(_ more: UnsafeRawBufferPointer) {
        if let stream { stream.compress(more, last: false, into: &bytes) } else { bytes.append(contentsOf: more) }
    }

    mutating func drain() -> [UInt8] {
        defer { bytes = [] }
        drainedBytes += bytes.count
        return bytes
    }

    mutating func finish() -> [UInt8] {
        stream?.compress(UnsafeRawBufferPointer(start: nil, count: 0), last: true, into: &bytes)
        stream = nil
        return drain()
    }
}
