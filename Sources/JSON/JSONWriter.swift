#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Appends JSON to one growing buffer, byte for byte as the Jackson of Kafka Connect 4.1 writes by default: UTF-8 as it is but for characters
/// past U+FFFF, which become two `\uXXXX`; `\b \t \n \f \r` in short form, other control characters as `\u00XX`, all in upper case; numbers
/// as Java prints them. Commas and colons are the caller's.
package struct JSONWriter: ~Copyable {
    private var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    package private(set) var count = 0

    package init(capacity: Int = 1024) {
        self.capacity = max(capacity, 64)
        base = .allocate(capacity: self.capacity)
    }

    deinit { base.deallocate() }

    /// The bytes written so far; the writer is empty afterwards and keeps its buffer.
    package mutating func take() -> [UInt8] {
        let bytes = Array(UnsafeBufferPointer(start: base, count: count))
        count = 0
        return bytes
    }

    package mutating func removeAll() { count = 0 }

    /// Forgets what was written past this count.
    package mutating func truncate(to count: Int) {
        precondition(count <= self.count)
        self.count = count
    }

    package func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try body(UnsafeRawBufferPointer(start: base, count: count))
    }

    @inline(__always) private mutating func reserve(_ n: Int) {
        if count &+ n > capacity { grow(n) }
    }

    @inline(never) private mutating func grow(_ n: Int) {
        let larger = max(capacity * 2, count + n)
        let fresh = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
        fresh.update(from: base, count: count)
        base.deallocate()
        base = fresh
        capacity = larger
    }

    @inline(__always) package mutating func byte(_ byte: UInt8) {
        reserve(1)
        base[count] = byte
        count &+= 1
    }

    @inline(__always) package mutating func literal(_ text: StaticString) {
        let n = text.utf8CodeUnitCount
        reserve(n)
        memcpy(base + count, text.utf8Start, n)
        count &+= n
    }

    /// Bytes that are JSON already.
    @inline(__always) package mutating func raw(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        reserve(bytes.count)
        memcpy(base + count, source, bytes.count)
        count &+= bytes.count
    }

    @inline(__always) package mutating func raw(_ bytes: [UInt8]) { bytes.withUnsafeBytes { raw($0) } }

    package mutating func raw(_ bytes: some Sequence<UInt8>) { for b in bytes { byte(b) } }

    @inline(__always) package mutating func integer(_ value: Int64) {
        reserve(20)
        if value < 0 {
            base[count] = UInt8(ascii: "-")
            count &+= 1
        }
        count &+= DecimalDigits.write(value.magnitude, to: base + count)
    }

    /// NaN and the infinities become strings.
    package mutating func double(_ value: Double) {
        reserve(JavaNumber.maximumLength)
        count &+= JavaNumber.write(value, quotingNonFinite: true, to: base + count)
    }

    package mutating func float(_ value: Float) {
        reserve(JavaNumber.maximumLength)
        count &+= JavaNumber.write(value, quotingNonFinite: true, to: base + count)
    }

    package mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { string(UnsafeRawBufferPointer($0)) }
    }

    /// UTF-8 as a quoted JSON string.
    @inline(__always) package mutating func string(_ bytes: UnsafeRawBufferPointer) {
        byte(UInt8(ascii: "\""))
        escaped(bytes)
        byte(UInt8(ascii: "\""))
    }

    /// The inside of a JSON string.
    package mutating func escaped(_ bytes: UnsafeRawBufferPointer) {
        let n = bytes.count
        // Room for all of it unescaped and one escape; each escape asks for more.
        reserve(n &+ 8)
        var i = 0
        while i < n {
            while i &+ 8 <= n {
                let word = bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self)
                // A byte from 0xF0 on begins a character past U+FFFF.
                let fourByte = word & word << 1 & word << 2 & word << 3 & 0x8080_8080_8080_8080
                if JSONScanner.special(word) | fourByte != 0 { break }
                UnsafeMutableRawPointer(base + count).storeBytes(of: word, as: UInt64.self)
                count &+= 8
                i &+= 8
            }
            let stop = min(n, i &+ 8)
            while i < stop {
                let c = bytes[i]
                if c >= 32, c < 0xF0, c != UInt8(ascii: "\""), c != UInt8(ascii: "\\") {
                    base[count] = c
                    count &+= 1
                    i &+= 1
                } else if c >= 0xF0, i &+ 4 <= n {
                    surrogates(
                        UInt32(c & 7) << 18 | UInt32(bytes[i &+ 1] & 63) << 12 | UInt32(bytes[i &+ 2] & 63) << 6
                            | UInt32(bytes[i &+ 3] & 63))
                    i &+= 4
                    reserve(n &- i &+ 8)
                } else {
                    escape(c)
                    i &+= 1
                    reserve(n &- i &+ 8)
                }
            }
        }
    }

    private mutating func escape(_ c: UInt8) {
        switch c {
        case UInt8(ascii: "\""): literal("\\\"")
        case UInt8(ascii: "\\"): literal("\\\\")
        case 8: literal("\\b")
        case 9: literal("\\t")
        case 10: literal("\\n")
        case 12: literal("\\f")
        case 13: literal("\\r")
        case 0xF0...: byte(c)
        default:
            literal("\\u00")
            byte(Self.upperHex(c >> 4))
            byte(Self.upperHex(c & 15))
        }
    }

    private mutating func surrogates(_ scalar: UInt32) {
        let offset = scalar &- 0x10000
        for unit in [0xD800 | offset >> 10 & 0x3FF, 0xDC00 | offset & 0x3FF] {
            literal("\\u")
            for shift: UInt32 in [12, 8, 4, 0] { byte(Self.upperHex(UInt8(truncatingIfNeeded: unit >> shift & 15))) }
        }
    }

    private static func upperHex(_ digit: UInt8) -> UInt8 { digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10 }

    /// Bytes as a quoted base64 string (RFC 4648 section 4, padded, one line).
    package mutating func base64(_ bytes: UnsafeRawBufferPointer) {
        reserve((bytes.count &+ 2) / 3 &* 4 &+ 2)
        base[count] = UInt8(ascii: "\"")
        count &+= 1
        count &+= Base64.write(bytes, to: base + count)
        base[count] = UInt8(ascii: "\"")
        count &+= 1
    }

    /// An instant as a quoted ISO-8601 string; see `Column.Storage.utcMicros`.
    package mutating func timestamp(micros: Int64, fractionDigits: Int) {
        reserve(48)
        base[count] = UInt8(ascii: "\"")
        count &+= 1
        count &+= TimestampText.write(micros: micros, fractionDigits: fractionDigits, to: base + count)
        base[count] = UInt8(ascii: "\"")
        count &+= 1
    }

    /// 16 bytes as a quoted UUID in lower case.
    package mutating func uuid(_ bytes: UnsafeRawBufferPointer) {
        reserve(38)
        byte(UInt8(ascii: "\""))
        for i in 0..<16 {
            if i == 4 || i == 6 || i == 8 || i == 10 { byte(UInt8(ascii: "-")) }
            byte(Self.lowerHex(bytes[i] >> 4))
            byte(Self.lowerHex(bytes[i] & 15))
        }
        byte(UInt8(ascii: "\""))
    }

    private static func lowerHex(_ digit: UInt8) -> UInt8 { digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10 }
}
