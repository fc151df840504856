import ConnectAPI

/// Arrays of integers in as few bytes as their range, or the range of their steps, needs: ids, LSNs, timestamps and lengths shrink to
/// one or two bytes a row before the compressor sees them, which makes it both smaller and faster.
///
///     kind u8      low bits: bytes a number (1, 2, 4, 8, or the full width as it lies in memory); 0x10: steps instead of values
///     full width   the array
///     values       lowest value, then value - lowest
///     steps        first value, lowest step, then step - lowest
///
/// All arithmetic wraps, so every array comes back as it was.
enum IntegerPacking {
    private static let steps: UInt8 = 0x10
    /// Below this the header outweighs the gain.
    private static let smallest = 8

    static func write<T: FixedWidthInteger & SignedInteger & BitwiseCopyable>(_ values: [T], to out: inout ByteWriter) {
        let full = T.bitWidth / 8
        guard values.count >= smallest else {
            out.u8(UInt8(full))
            return out.raw(values)
        }
        let (low, high, lowStep, highStep) = ranges(values)
        let width = bytes(high &- low), stepWidth = bytes(highStep &- lowStep)
        if min(width, stepWidth) >= full {
            out.u8(UInt8(full))
            out.raw(values)
        } else if width <= stepWidth {
            out.u8(UInt8(width))
            out.signed(Int64(low))
            pack(values, width, to: &out) { v, i in v[i] &- low }
        } else {
            out.u8(UInt8(stepWidth) | steps)
            out.signed(Int64(values[0]))
            out.signed(Int64(lowStep))
            pack(values, stepWidth, skipping: 1, to: &out) { v, i in v[i] &- v[i &- 1] &- lowStep }
        }
    }

    static func read<T: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
        _ count: Int, of type: T.Type, from reader: inout ByteReader
    ) throws -> [T] {
        let kind = try reader.u8(), full = T.bitWidth / 8, width = Int(kind & 0x0F)
        if kind == UInt8(full) { return try reader.array(count, of: T.self) }
        guard kind & ~(steps | 0x0F) == 0, width < full, width == 1 || width == 2 || width == 4 else {
            throw ConnectorError.corrupt("an integer array of kind \(kind)")
        }
        if kind & steps == 0 {
            let low = T(truncatingIfNeeded: try reader.signed())
            switch width {
            case 1: return try unpack(count, UInt8.self, low, &reader)
            case 2: return try unpack(count, UInt16.self, low, &reader)
            default: return try unpack(count, UInt32.self, low, &reader)
            }
        }
        guard count > 0 else { throw ConnectorError.corrupt("steps without a first value") }
        let first = T(truncatingIfNeeded: try reader.signed()), lowStep = T(truncatingIfNeeded: try reader.signed())
        switch width {
        case 1: return try unpackSteps(count, UInt8.self, first, lowStep, &reader)
        case 2: return try unpackSteps(count, UInt16.self, first, lowStep, &reader)
        default: return try unpackSteps(count, UInt32.self, first, lowStep, &reader)
        }
    }

    /// Lengths of variable-sized values, as the offsets have them; a damaged length cannot make offsets that go back or overflow.
    static func writeLengths(_ offsets: [Int32], to out: inout ByteWriter) {
        let n = offsets.count - 1
        let lengths = offsets.withUnsafeBufferPointer { o in
            [Int32](unsafeUninitializedCapacity: n) { buffer, initialized in
                for i in 0..<n { unsafe buffer[i] = o[i &+ 1] &- o[i] }
                initialized = n
            }
        }
        write(lengths, to: &out)
    }

    static func readOffsets(_ count: Int, from reader: inout ByteReader) throws -> [Int32] {
        let lengths = try read(count, of: Int32.self, from: &reader)
        var total: Int64 = 0, signs: Int32 = 0
        let offsets = lengths.withUnsafeBufferPointer { lengths in
            [Int32](unsafeUninitializedCapacity: count + 1) { buffer, initialized in
                unsafe buffer[0] = 0
                for i in 0..<count {
                    let length = unsafe lengths[i]
                    signs |= length
                    total &+= Int64(length)
                    unsafe buffer[i &+ 1] = Int32(truncatingIfNeeded: total)
                }
                initialized = count + 1
            }
        }
        guard signs >= 0, total <= Int64(Int32.max) else { throw ConnectorError.corrupt("lengths of \(total) bytes together") }
        return offsets
    }

    private static func ranges<T: FixedWidthInteger & SignedInteger>(_ values: [T]) -> (low: T, high: T, lowStep: T, highStep: T) {
        values.withUnsafeBufferPointer { v in
            var low = unsafe v[0], high = low, lowStep = unsafe v[1] &- v[0], highStep = lowStep
            var last = low
            for i in 1..<v.count {
                let value = unsafe v[i], step = value &- last
                low = min(low, value)
                high = max(high, value)
                lowStep = min(lowStep, step)
                highStep = max(highStep, step)
                last = value
            }
            return (low, high, lowStep, highStep)
        }
    }

    /// Bytes for a range, whose bit pattern is an unsigned number.
    private static func bytes<T: FixedWidthInteger>(_ range: T) -> Int {
        switch T.bitWidth - range.leadingZeroBitCount {
        case ...8: 1
        case ...16: 2
        case ...32: 4
        default: 8
        }
    }

    @inline(__always)
    private static func pack<T: FixedWidthInteger & BitwiseCopyable>(
        _ values: [T], _ width: Int, skipping first: Int = 0, to out: inout ByteWriter, _ rest: (UnsafeBufferPointer<T>, Int) -> T
    ) {
        switch width {
        case 1: out.raw(narrowed(values, UInt8.self, first, rest))
        case 2: out.raw(narrowed(values, UInt16.self, first, rest))
        default: out.raw(narrowed(values, UInt32.self, first, rest))
        }
    }

    @inline(__always)
    private static func narrowed<T: FixedWidthInteger, N: FixedWidthInteger & BitwiseCopyable>(
        _ values: [T], _ type: N.Type, _ first: Int, _ rest: (UnsafeBufferPointer<T>, Int) -> T
    ) -> [N] {
        values.withUnsafeBufferPointer { v in
            [N](unsafeUninitializedCapacity: v.count - first) { buffer, initialized in
                for i in first..<v.count { unsafe buffer[i &- first] = N(truncatingIfNeeded: rest(v, i)) }
                initialized = v.count - first
            }
        }
    }

    private static func unpack<T: FixedWidthInteger, N: FixedWidthInteger & BitwiseCopyable>(
        _ count: Int, _ type: N.Type, _ low: T, _ reader: inout ByteReader
    ) throws -> [T] {
        let source = try reader.take(count * MemoryLayout<N>.size)
        return [T](unsafeUninitializedCapacity: count) { buffer, initialized in
            for i in 0..<count {
                unsafe buffer[i] =
                    T(truncatingIfNeeded: source.loadUnaligned(fromByteOffset: i &* MemoryLayout<N>.size, as: N.self)) &+ low
            }
            initialized = count
        }
    }

    private static func unpackSteps<T: FixedWidthInteger, N: FixedWidthInteger & BitwiseCopyable>(
        _ count: Int, _ type: N.Type, _ first: T, _ lowStep: T, _ reader: inout ByteReader
    ) throws -> [T] {
        let source = try reader.take((count - 1) * MemoryLayout<N>.size)
        return [T](unsafeUninitializedCapacity: count) { buffer, initialized in
            var value = first
            unsafe buffer[0] = value
            for i in 0..<count - 1 {
                let step = unsafe source.loadUnaligned(fromByteOffset: i &* MemoryLayout<N>.size, as: N.self)
                value = value &+ T(truncatingIfNeeded: step) &+ lowStep
                unsafe buffer[i &+ 1] = value
            }
            initialized = count
        }
    }
}
