import CSnappy

/// snappy-java's `SnappyOutputStream`, which Aiven's connectors write and its `SnappyInputStream`, Spark and Kafka's own tools read: a header, then
/// blocks of 32 KiB, each compressed by itself after its length.
final class SnappyStream: CompressionStream {
    static let blockBytes = 32 << 10
    private var block: [UInt8] = []
    private var hasHeader = false
    /// "\u{82}SNAPPY\0", the version and the oldest version that reads it.
    static let headerBytes = 16

    var heldBytes: Int { block.capacity }

    func compress(_ input: UnsafeRawBufferPointer, last: Bool, into out: inout [UInt8]) {
        if !hasHeader {
            out += [0x82]
            out += "SNAPPY".utf8
            // A zero ends the magic; then the version and the oldest version that reads it.
            out += [0, 0, 0, 0, 1, 0, 0, 0, 1]
            hasHeader = true
        }
        var rest = input[...]
        while !rest.isEmpty {
            let taken = rest.prefix(Self.blockBytes - block.count)
            block.append(contentsOf: taken)
            rest = rest.dropFirst(taken.count)
            if block.count == Self.blockBytes { flush(into: &out) }
        }
        if last, !block.isEmpty { flush(into: &out) }
    }

    private func flush(into out: inout [UInt8]) {
        let bound = snappy_max_compressed_length(block.count)
        let compressed = [UInt8](unsafeUninitializedCapacity: bound) { target, count in
            var length = bound
            let status = block.withUnsafeBytes { source in
                target.withMemoryRebound(to: CChar.self) { target in
                    snappy_compress(source.bindMemory(to: CChar.self).baseAddress, source.count, target.baseAddress, &length)
                }
            }
            precondition(status == SNAPPY_OK, "snappy does not compress into a buffer of the size it asked for")
            count = length
        }
        withUnsafeBytes(of: UInt32(compressed.count).bigEndian) { out.append(contentsOf: $0) }
        out += compressed
        block.removeAll(keepingCapacity: true)
    }
}
