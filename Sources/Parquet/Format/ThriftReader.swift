/// Thrift's compact protocol, reading only as much as a footer asks for: fields are taken, taken as they are, or skipped.
/// Malformed bytes throw; nothing traps, and no length is believed before it is compared with what is there.
/// Source: Apache Thrift, thrift-compact-protocol.md.
struct ThriftReader {
    struct Malformed: Error {}

    enum Kind: UInt8 {
        case stop, yes, no, byte, i16, i32, i64, double, binary, list, set, map, structure
    }

    private let bytes: ArraySlice<UInt8>
    private var at: Int
    private static let deepest = 32

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        at = bytes.startIndex
    }

    mutating func byte() throws(Malformed) -> UInt8 {
        guard at < bytes.endIndex else { throw Malformed() }
        defer { at += 1 }
        return bytes[at]
    }

    mutating func varint() throws(Malformed) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 64, by: 7) {
            let next = try byte()
            value |= UInt64(next & 127) << UInt64(shift)
            if next < 128 { return value }
        }
        throw Malformed()
    }

    /// An i16, i32 or i64.
    mutating func integer() throws(Malformed) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    mutating func binary() throws(Malformed) -> ArraySlice<UInt8> {
        let count = try varint()
        guard count <= UInt64(bytes.endIndex - at) else { throw Malformed() }
        defer { at += Int(count) }
        return bytes[at..<at + Int(count)]
    }

    /// The bytes of a value of this kind, as they are. A boolean of a structure has none: its kind is its value.
    mutating func raw(_ kind: Kind) throws(Malformed) -> ArraySlice<UInt8> {
        let start = at
        try skip(kind, depth: 0)
        return bytes[start..<at]
    }

    /// The element kind and count of a list or set.
    mutating func listHeader() throws(Malformed) -> (kind: Kind, count: Int) {
        let head = try byte()
        let count = head >> 4 == 15 ? try varint() : UInt64(head >> 4)
        // Every element takes a byte at least.
        guard let kind = Kind(rawValue: head & 15), count <= UInt64(bytes.endIndex - at) else { throw Malformed() }
        return (kind, Int(count))
    }

    /// Calls `take` for every field of a structure; what it does not take (returns false for) is skipped.
    mutating func structure(_ take: (inout ThriftReader, _ id: Int16, Kind) throws(Malformed) -> Bool) throws(Malformed) {
        var id: Int16 = 0
        while true {
            let head = try byte()
            guard let kind = Kind(rawValue: head & 15) else { throw Malformed() }
            if kind == .stop { return }
            if head >> 4 == 0 {
                guard let next = Int16(exactly: try integer()) else { throw Malformed() }
                id = next
            } else {
                id &+= Int16(head >> 4)
            }
            if try !take(&self, id, kind) { try skip(kind, depth: 0) }
        }
    }

    private mutating func skip(_ kind: Kind, depth: Int) throws(Malformed) {
        guard depth < Self.deepest else { throw Malformed() }
        switch kind {
        case .stop: throw Malformed()
        case .yes, .no: return
        case .byte: _ = try byte()
        case .i16, .i32, .i64: _ = try varint()
        case .double: for _ in 0..<8 { _ = try byte() }
        case .binary: _ = try binary()
        case .list, .set:
            let (kind, count) = try listHeader()
            for _ in 0..<count { try skipElement(kind, depth: depth + 1) }
        case .map:
            let count = try varint()
            guard count > 0 else { return }
            let kinds = try byte()
            guard let key = Kind(rawValue: kinds >> 4), let value = Kind(rawValue: kinds & 15), count <= UInt64(bytes.endIndex - at) else {
                throw Malformed()
            }
            for _ in 0..<count {
                try skipElement(key, depth: depth + 1)
                try skipElement(value, depth: depth + 1)
            }
        case .structure:
            while true {
                let head = try byte()
                guard let kind = Kind(rawValue: head & 15) else { throw Malformed() }
                if kind == .stop { return }
                if head >> 4 == 0 { _ = try integer() }
                try skip(kind, depth: depth + 1)
            }
        }
    }

    /// A boolean in a list is a byte; in a field it is the kind.
    private mutating func skipElement(_ kind: Kind, depth: Int) throws(Malformed) {
        if kind == .yes || kind == .no { _ = try byte() } else { try skip(kind, depth: depth) }
    }
}
