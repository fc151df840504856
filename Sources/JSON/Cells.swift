import ConnectAPI

/// Writes one column's value of a row. Classes, so that a program is one array of references and a row costs one indirect call a value;
/// each holds the arrays of its column, which are shared, not copied.
class Cell {
    func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) { preconditionFailure("abstract") }
}

/// Literals with cells between them; literal `i` ends at `ends[i]`, the last at the end.
final class Program: Cell {
    private let literals: [UInt8]
    private let ends: [Int]
    private let cells: [Cell]

    init(literals: [UInt8], ends: [Int], cells: [Cell]) {
        self.literals = literals
        self.ends = ends
        self.cells = cells
    }

    /// Itself, or the only cell when there is nothing else to write.
    var asCell: Cell { cells.count == 1 && literals.isEmpty ? cells[0] : self }

    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) {
        var start = 0
        for i in 0..<cells.count {
            let end = ends[i]
            if end > start { copy(start..<end, &out) }
            start = end
            try cells[i].write(row, &out)
        }
        if literals.count > start { copy(start..<literals.count, &out) }
    }

    @inline(__always) private func copy(_ range: Range<Int>, _ out: inout JSONWriter) {
        literals.withUnsafeBytes { out.raw(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
}

/// A cell for the rows whose bit is set, fixed bytes for the others; no bytes: such a row is an error.
final class NullableCell: Cell {
    private let present: Bitmap
    private let otherwise: [UInt8]?
    private let cell: Cell

    init(_ present: Bitmap, otherwise: [UInt8]?, _ cell: Cell) {
        self.present = present
        self.otherwise = otherwise
        self.cell = cell
    }

    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) {
        if present[row] { return try cell.write(row, &out) }
        guard let otherwise else { throw RequiredNullCell.error }
        out.raw(otherwise)
    }
}

/// A null where the schema wants a value.
final class RequiredNullCell: Cell {
    static let error = ConnectorError(
        "converter.null_required", .reject, "Conversion error: null value for field that is required and has no default value")

    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) { throw Self.error }
}

final class BooleanCell: Cell {
    private let values: [UInt8]
    init(_ values: [UInt8]) { self.values = values }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) { out.literal(values[row] != 0 ? "true" : "false") }
}

final class Int32Cell: Cell {
    private let values: [Int32]
    init(_ values: [Int32]) { self.values = values }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) { out.integer(Int64(values[row])) }
}

final class Int64Cell: Cell {
    private let values: [Int64]
    init(_ values: [Int64]) { self.values = values }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) { out.integer(values[row]) }
}

final class Float32Cell: Cell {
    private let values: [Float]
    init(_ values: [Float]) { self.values = values }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) { out.float(values[row]) }
}

final class Float64Cell: Cell {
    private let values: [Double]
    init(_ values: [Double]) { self.values = values }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) { out.double(values[row]) }
}

final class UTF8Cell: Cell {
    private let values: VarBytes
    init(_ values: VarBytes) { self.values = values }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) {
        let range = values.range(row)
        values.bytes.withUnsafeBytes { out.string(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
}

/// JSON as it is.
final class JSONTextCell: Cell {
    private let values: VarBytes
    init(_ values: VarBytes) { self.values = values }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) {
        let range = values.range(row)
        values.bytes.withUnsafeBytes { out.raw(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
}

/// An object of the members a row has.
final class ObjectCell: Cell {
    private let members: [(name: [UInt8], absent: Bitmap?, value: Cell)]
    init(_ members: [(name: [UInt8], absent: Bitmap?, value: Cell)]) { self.members = members }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) {
        out.byte(UInt8(ascii: "{"))
        var isFirst = true
        for member in members where member.absent.map({ !$0[row] }) ?? true {
            if !isFirst { out.byte(UInt8(ascii: ",")) }
            isFirst = false
            out.raw(member.name)
            out.byte(UInt8(ascii: ":"))
            try member.value.write(row, &out)
        }
        out.byte(UInt8(ascii: "}"))
    }
}

final class BinaryCell: Cell {
    private let values: VarBytes
    init(_ values: VarBytes) { self.values = values }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) {
        let range = values.range(row)
        values.bytes.withUnsafeBytes { out.base64(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }
}

/// Decimals as base64 of the shortest two's complement.
final class DecimalCell: Cell {
    private let values: [Int128]
    init(_ values: [Int128]) { self.values = values }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) {
        let value = values[row]
        // Bits a value needs besides its sign decide its length.
        let bits = 128 - (value < 0 ? ~value : value).leadingZeroBitCount
        let length = bits / 8 + 1
        withUnsafeBytes(of: value.bigEndian) { out.base64(UnsafeRawBufferPointer(rebasing: $0[(16 - length)...])) }
    }
}

final class NumericCell: Cell {
    private let values: [Int128]
    private let scale: Int
    private let maximumDigits: Int?
    init(_ values: [Int128], scale: Int, maximumDigits: Int?) {
        self.values = values
        self.scale = scale
        self.maximumDigits = maximumDigits
    }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) {
        out.number(DecimalText.bytes(unscaled: values[row], scale: scale), maximumDigits: maximumDigits)
    }
}

final class NumericBinaryCell: Cell {
    private let values: VarBytes
    private let scale: Int
    private let maximumDigits: Int?
    init(_ values: VarBytes, scale: Int, maximumDigits: Int?) {
        self.values = values
        self.scale = scale
        self.maximumDigits = maximumDigits
    }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) {
        out.number(DecimalText.bytes(unscaled: Array(values[row]), scale: scale), maximumDigits: maximumDigits)
    }
}

final class TimestampCell: Cell {
    private let values: [Int64]
    private let fractionDigits: Int
    init(_ values: [Int64], fractionDigits: Int) {
        self.values = values
        self.fractionDigits = fractionDigits
    }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) {
        out.timestamp(micros: values[row], fractionDigits: fractionDigits)
    }
}

final class UUIDCell: Cell {
    private let values: [UInt8]
    init(_ values: [UInt8]) { self.values = values }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) {
        values.withUnsafeBytes { out.uuid(UnsafeRawBufferPointer(rebasing: $0[row * 16..<row * 16 + 16])) }
    }
}

final class ListCell: Cell {
    private let offsets: [Int32]
    private let element: Cell
    init(_ offsets: [Int32], _ element: Cell) {
        self.offsets = offsets
        self.element = element
    }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) {
        let first = Int(offsets[row])
        out.byte(UInt8(ascii: "["))
        for i in first..<Int(offsets[row + 1]) {
            if i > first { out.byte(UInt8(ascii: ",")) }
            try element.write(i, &out)
        }
        out.byte(UInt8(ascii: "]"))
    }
}

/// Maps with string keys are objects, others arrays of pairs.
final class MapCell: Cell {
    private let offsets: [Int32]
    private let keys: Cell, values: Cell
    private let isObject: Bool
    init(_ offsets: [Int32], keys: Cell, values: Cell, isObject: Bool) {
        self.offsets = offsets
        self.keys = keys
        self.values = values
        self.isObject = isObject
    }
    override func write(_ row: Int, _ out: inout JSONWriter) throws(ConnectorError) {
        let first = Int(offsets[row])
        out.byte(UInt8(ascii: isObject ? "{" : "["))
        for i in first..<Int(offsets[row + 1]) {
            if i > first { out.byte(UInt8(ascii: ",")) }
            if !isObject { out.byte(UInt8(ascii: "[")) }
            try keys.write(i, &out)
            out.byte(UInt8(ascii: isObject ? ":" : ","))
            try values.write(i, &out)
            if !isObject { out.byte(UInt8(ascii: "]")) }
        }
        out.byte(UInt8(ascii: isObject ? "}" : "]"))
    }
}

extension JSONWriter {
    /// A decimal's text as a number, or as a string when it has more significant digits than a reader takes.
    mutating func number(_ text: [UInt8], maximumDigits: Int?) {
        guard let maximumDigits, text.count > maximumDigits else { return raw(text) }
        let digits = text.prefix { $0 != UInt8(ascii: "E") }.filter { $0 >= 48 && $0 <= 57 }.drop { $0 == 48 }
        if digits.count > maximumDigits { byte(UInt8(ascii: "\"")) }
        raw(text)
        if digits.count > maximumDigits { byte(UInt8(ascii: "\"")) }
    }
}
