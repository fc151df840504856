/// Geometries from their binary form (WKB of the OGC and ISO, PostGIS's EWKB) to text: `POINT Z (1 2 3)`.
///
///     byte order (1) | type: kind, dimensions (4) | [SRID (4)] | coordinates, or parts of the same form
struct WellKnownText {
    private struct Malformed: Error {}
    private let bytes: ArraySlice<UInt8>
    private var at: Int
    private var isLittle = true
    private static let names = ["", "POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION"]
    private static let deepest = 16

    private init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        at = bytes.startIndex
    }

    /// nil: the bytes are no geometry of the seven kinds.
    static func text(_ wkb: ArraySlice<UInt8>) -> String? {
        var reader = WellKnownText(wkb)
        guard let text = try? reader.geometry(depth: 0), reader.at == wkb.endIndex else { return nil }
        return text
    }

    private mutating func integer<T: FixedWidthInteger>(_: T.Type) throws(Malformed) -> T {
        let size = MemoryLayout<T>.size
        guard bytes.endIndex - at >= size else { throw Malformed() }
        defer { at += size }
        let value = bytes[at..<at + size].reduce(T(0)) { $0 << 8 | T(truncatingIfNeeded: $1) }
        return isLittle ? value.byteSwapped : value
    }

    private mutating func count(ofBytes size: Int) throws(Malformed) -> Int {
        let count = Int(try integer(UInt32.self))
        guard count <= (bytes.endIndex - at) / size else { throw Malformed() }
        return count
    }

    private mutating func geometry(depth: Int, tagged: Bool = true) throws(Malformed) -> String {
        guard depth < Self.deepest, at < bytes.endIndex, bytes[at] < 2 else { throw Malformed() }
        isLittle = bytes[at] == 1
        at += 1
        let type = try integer(UInt32.self), base = type & 0x0FFF_FFFF
        if type & 0x2000_0000 != 0 { _ = try integer(UInt32.self) }
        let kind = Int(base % 1000), iso = base / 1000
        guard (1...7).contains(kind), iso <= 3 else { throw Malformed() }
        let hasZ = type & 0x8000_0000 != 0 || iso == 1 || iso == 3, hasM = type & 0x4000_0000 != 0 || iso >= 2
        let dimensions = 2 + (hasZ ? 1 : 0) + (hasM ? 1 : 0)
        let body: String
        switch kind {
        case 1: body = try point(dimensions).map { "(\($0))" } ?? "EMPTY"
        case 2: body = try line(dimensions)
        case 3: body = try list(try count(ofBytes: 4)) { (reader) throws(Malformed) in try reader.line(dimensions) }
        default: body = try list(try count(ofBytes: 9)) { (reader) throws(Malformed) in try reader.geometry(depth: depth + 1, tagged: kind == 7) }
        }
        return tagged ? "\(Self.names[kind])\(hasZ || hasM ? " " : "")\(hasZ ? "Z" : "")\(hasM ? "M" : "") \(body)" : body
    }

    private mutating func list(_ count: Int, _ item: (inout WellKnownText) throws(Malformed) -> String) throws(Malformed) -> String {
        guard count > 0 else { return "EMPTY" }
        var items: [String] = []
        for _ in 0..<count { items.append(try item(&self)) }
        return "(\(items.joined(separator: ", ")))"
    }

    private mutating func line(_ dimensions: Int) throws(Malformed) -> String {
        try list(try count(ofBytes: dimensions * 8)) { (reader) throws(Malformed) in try reader.point(dimensions) ?? "NaN NaN" }
    }

    /// nil: an empty point, whose coordinates are no numbers.
    private mutating func point(_ dimensions: Int) throws(Malformed) -> String? {
        var numbers: [String] = [], isEmpty = true
        for _ in 0..<dimensions {
            let value = Double(bitPattern: try integer(UInt64.self))
            isEmpty = isEmpty && value.isNaN
            let text = "\(value)"
            numbers.append(text.hasSuffix(".0") ? String(text.dropLast(2)) : text)
        }
        return isEmpty ? nil : numbers.joined(separator: " ")
    }
}
