import Glibc

/// Growing bytes without copy-on-write or reference counting, for the encoders' inner loops. Little-endian.
struct ByteBuffer: ~Copyable {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var capacity: Int
    private(set) var count = 0

    /// Where empty buffers point: most of an open file's hold nothing, and there are many files.
    private static nonisolated(unsafe) let nowhere = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 16)

    /// Takes no memory before the first byte.
    init() {
        capacity = 0
        base = Self.nowhere
    }

    deinit { if capacity > 0 { free(base) } }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Room for `n` more bytes.
    @inline(__always) mutating func reserve(_ n: Int) {
        if count &+ n > capacity { grow(by: n) }
    }

    @inline(never) private mutating func grow(by n: Int) {
        let old = capacity > 0 ? base : nil
        capacity = max(capacity * 2, count + n, 64)
        base = realloc(old, capacity)!
    }

    @inline(__always) mutating func append(_ byte: UInt8) { append(integer: byte) }

    @inline(__always) mutating func append<T: FixedWidthInteger>(integer value: T) {
        reserve(MemoryLayout<T>.size)
        (base + count).storeBytes(of: value.littleEndian, as: T.self)
        count &+= MemoryLayout<T>.size
    }

    @inline(__always) mutating func append(_ start: UnsafeRawPointer, count n: Int) {
        reserve(n)
        memcpy(base + count, start, n)
        count &+= n
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        if let start = bytes.baseAddress { append(start, count: bytes.count) }
    }

    /// As `append`, without a call to `memcpy` for the few bytes that most strings have.
    @inline(__always) mutating func append(short bytes: UnsafeRawBufferPointer) {
        let n = bytes.count
        guard n > 0, let from = bytes.baseAddress else { return }
        reserve(n)
        let to = base + count
        switch n {
        case 8...16:
            to.storeBytes(of: from.loadUnaligned(as: UInt64.self), as: UInt64.self)
            (to + (n &- 8)).storeBytes(of: (from + (n &- 8)).loadUnaligned(as: UInt64.self), as: UInt64.self)
        case 4..<8:
            to.storeBytes(of: from.loadUnaligned(as: UInt32.self), as: UInt32.self)
            (to + (n &- 4)).storeBytes(of: (from + (n &- 4)).loadUnaligned(as: UInt32.self), as: UInt32.self)
        default: memcpy(to, from, n)
        }
        count &+= n
    }

    mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    /// An unsigned LEB128 number.
    @inline(__always) mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    /// Lets `fill` write up to `n` bytes at the end; it returns how many it wrote.
    @inline(__always) mutating func append<E: Error>(upTo n: Int, _ fill: (UnsafeMutableRawPointer) throws(E) -> Int) throws(E) {
        reserve(n)
        count &+= try fill(base + count)
    }

    mutating func overwrite<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        precondition(offset + MemoryLayout<T>.size <= count)
        (base + offset).storeBytes(of: value.littleEndian, as: T.self)
    }

    mutating func removeAll() { count = 0 }

    /// Forgets the bytes and gives the memory back.
    mutating func release() { self = ByteBuffer() }
}
