import Glibc

/// Growing bytes without copy-on-write or reference counting, for the encoders' inner loops. Little-endian.
struct ByteBuffer: ~Copyable {
    private(set) var base: UnsafeMutableRawPointer
    private(set) var capacity: Int
    private(set) var count = 0

    init(capacity: Int = 0) {
        self.capacity = max(capacity, 64)
        base = malloc(self.capacity)!
    }

    deinit { free(base) }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Room for `n` more bytes.
    @inline(__always) mutating func reserve(_ n: Int) {
        if count &+ n > capacity { grow(by: n) }
    }

    @inline(never) private mutating func grow(by n: Int) {
        capacity = max(capacity * 2, count + n)
        base = realloc(base, capacity)!
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
