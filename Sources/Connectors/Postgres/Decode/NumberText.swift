import Glibc

/// Integers as PostgreSQL writes them.
enum IntegerText {
    /// nil: not a decimal integer of 64 bits.
    @inline(__always)
    static func parse(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        let n = bytes.count
        guard n > 0 else { return nil }
        let negative = bytes[0] == UInt8(ascii: "-")
        var i = negative ? 1 : 0
        guard n > i, n - i <= 19 else { return nil }
        var value: UInt64 = 0
        while i < n {
            let digit = bytes[i] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            value = value &* 10 &+ UInt64(digit)
            i &+= 1
        }
        if value > UInt64(Int64.max) { return negative && value == UInt64(Int64.max) + 1 ? .min : nil }
        return negative ? -Int64(value) : Int64(value)
    }

    /// A signed integer of 2 or 4 bytes in network order.
    @inline(__always)
    static func binary32(_ bytes: UnsafeRawBufferPointer) -> Int32? {
        switch bytes.count {
        case 4: Int32(bigEndian: bytes.loadUnaligned(as: Int32.self))
        case 2: Int32(Int16(bigEndian: bytes.loadUnaligned(as: Int16.self)))
        default: nil
        }
    }
}

/// Floating-point numbers as PostgreSQL writes them: shortest digits, `NaN`, `Infinity`, `-Infinity`.
enum FloatText {
    private static let powers: [Double] = (0...22).map { (0..<$0).reduce(1.0) { value, _ in value * 10 } }

    /// Up to 15 digits and a small exponent are exact in one division (Clinger's fast path); the rest goes to `strtod`.
    static func double(_ bytes: UnsafeRawBufferPointer) -> Double? {
        var digits: UInt64 = 0, count = 0, fraction = 0, seenPoint = false, i = 0
        let negative = bytes.first == UInt8(ascii: "-")
        if negative { i = 1 }
        while i < bytes.count {
            let byte = bytes[i], digit = byte &- UInt8(ascii: "0")
            if digit <= 9 {
                digits = digits &* 10 &+ UInt64(digit)
                count += 1
                if seenPoint { fraction += 1 }
            } else if byte == UInt8(ascii: "."), !seenPoint {
                seenPoint = true
            } else {
                return slow(bytes, strtod)
            }
            i += 1
        }
        guard count > 0, count <= 15 else { return slow(bytes, strtod) }
        let value = Double(digits) / powers[fraction]
        return negative ? -value : value
    }

    static func float(_ bytes: UnsafeRawBufferPointer) -> Float? { slow(bytes, strtof) }

    private static func slow<T>(
        _ bytes: UnsafeRawBufferPointer, _ parse: (UnsafePointer<CChar>, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> T
    ) -> T? {
        guard !bytes.isEmpty else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { buffer in
            for (i, byte) in bytes.enumerated() { buffer[i] = CChar(bitPattern: byte) }
            buffer[bytes.count] = 0
            var end: UnsafeMutablePointer<CChar>?
            let value = parse(buffer.baseAddress!, &end)
            return end == buffer.baseAddress! + bytes.count ? value : nil
        }
    }
}

/// A UUID's text as PostgreSQL writes it.
enum UUIDParser {
    static func parse(_ text: UnsafeRawBufferPointer) -> UInt128? {
        guard text.count == 36 else { return nil }
        var value: UInt128 = 0
        for i in 0..<36 {
            if i == 8 || i == 13 || i == 18 || i == 23 {
                guard text[i] == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = Hex.digit(text[i]) else { return nil }
            value = value << 4 | UInt128(digit)
        }
        return value
    }
}

enum Hex {
    @inline(__always) static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte &- UInt8(ascii: "a") &+ 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte &- UInt8(ascii: "A") &+ 10
        default: nil
        }
    }
    static let digits: [UInt8] = Array("0123456789abcdef".utf8)
}
