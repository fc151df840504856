import ConnectAPI

/// Writes one column's value of a row; each holds the arrays of its column, which are shared, not copied.
class AvroCell {
    func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) { preconditionFailure("abstract") }
}

/// The same bytes in every row.
final class ConstantAvroCell: AvroCell {
    private let bytes: [UInt8]
    init(_ bytes: [UInt8]) { self.bytes = bytes }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) { out.raw(bytes) }
}

/// No row may be written.
final class RefusedCell: AvroCell {
    private let error: ConnectorError
    init(_ error: ConnectorError) { self.error = error }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) { throw error }
}

/// A cell for the rows whose bit is set, fixed bytes for the others; no bytes: such a row is an error.
final class ChoiceCell: AvroCell {
    private let rows: Bitmap
    private let otherwise: [UInt8]?
    private let cell: AvroCell
    private let path: String

    init(_ rows: Bitmap, otherwise: [UInt8]?, _ cell: AvroCell, path: String) {
        self.rows = rows
        self.otherwise = otherwise
        self.cell = cell
        self.path = path
    }

    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) {
        if rows[row] { return try cell.write(row, &out) }
        guard let otherwise else { throw AvroCell.nullRequired(path) }
        out.raw(otherwise)
    }
}

/// The index of a union's branch, then the value.
final class BranchCell: AvroCell {
    private let index: Int64
    private let cell: AvroCell
    init(_ index: Int, _ cell: AvroCell) {
        self.index = Int64(index)
        self.cell = cell
    }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) {
        out.long(index)
        try cell.write(row, &out)
    }
}

/// A struct that stands for a union: the first member a row has.
final class UnionCell: AvroCell {
    private let members: [(valid: Bitmap?, cell: AvroCell)]
    private let path: String
    init(_ members: [(valid: Bitmap?, cell: AvroCell)], path: String) {
        self.members = members
        self.path = path
    }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) {
        for member in members where member.valid.map({ $0[row] }) ?? true { return try member.cell.write(row, &out) }
        throw AvroCell.nullRequired(path)
    }
}

/// Bytes without the length before them.
final class BareCell: AvroCell {
    private let cell: AvroCell
    init(_ cell: AvroCell) { self.cell = cell }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) {
        var value = AvroBytes()
        try cell.write(row, &value)
        // One value is read back as it was written.
        out.raw(value.bytes.drop { $0 & 128 != 0 }.dropFirst())
    }
}

final class BooleanAvroCell: AvroCell {
    private let values: [UInt8]
    init(_ values: [UInt8]) { self.values = values }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) { out.byte(values[row]) }
}

final class Int32AvroCell: AvroCell {
    private let values: [Int32]
    init(_ values: [Int32]) { self.values = values }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) { out.long(Int64(values[row])) }
}

final class Int64AvroCell: AvroCell {
    private let values: [Int64]
    init(_ values: [Int64]) { self.values = values }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) { out.long(values[row]) }
}

final class FloatAvroCell: AvroCell {
    private let values: [Float]
    init(_ values: [Float]) { self.values = values }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) { out.float(values[row]) }
}

final class DoubleAvroCell: AvroCell {
    private let values: [Double]
    init(_ values: [Double]) { self.values = values }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) { out.double(values[row]) }
}

final class BytesAvroCell: AvroCell {
    private let values: VarBytes
    init(_ values: VarBytes) { self.values = values }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) { out.blob(values.bytes[values.range(row)]) }
}

final class DecimalAvroCell: AvroCell {
    private let values: [Int128]
    init(_ values: [Int128]) { self.values = values }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) { out.unscaled(values[row]) }
}

/// Bytes of one size; numbers are filled up with their sign.
final class FixedCell: AvroCell {
    private let values: VarBytes
    private let size: Int
    private let isNumber: Bool
    private let path: String
    init(_ values: VarBytes, size: Int, isNumber: Bool, path: String) {
        self.values = values
        self.size = size
        self.isNumber = isNumber
        self.path = path
    }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) {
        let value = values.bytes[values.range(row)]
        guard value.count == size || isNumber && value.count < size else {
            throw ConnectorError("avro.fixed_size", .reject, "\(AvroCell.place(path)) has \(value.count) bytes, and its schema wants \(size)")
        }
        let sign: UInt8 = value.first.map { $0 & 128 != 0 } == true ? 255 : 0
        for _ in value.count..<size { out.byte(sign) }
        out.raw(value)
    }
}

final class EnumCell: AvroCell {
    private let values: VarBytes
    private let symbols: [[UInt8]]
    private let path: String
    init(_ values: VarBytes, _ symbols: [String], path: String) {
        self.values = values
        self.symbols = symbols.map { Array($0.utf8) }
        self.path = path
    }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) {
        let value = values.bytes[values.range(row)]
        guard let index = symbols.firstIndex(where: { $0.count == value.count && value.elementsEqual($0) }) else {
            throw ConnectorError("avro.enum_symbol", .reject, "\(AvroCell.place(path)) is none of the symbols of its enum")
        }
        out.long(Int64(index))
    }
}

final class TimestampAvroCell: AvroCell {
    private let values: [Int64]
    private let digits: Int
    init(_ values: [Int64], digits: Int) {
        self.values = values
        self.digits = digits
    }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) {
        out.shortText { ISO8601.appendTimestamp(micros: values[row], fractionDigits: digits, to: &$0) }
    }
}

final class UUIDAvroCell: AvroCell {
    private let values: [UInt8]
    init(_ values: [UInt8]) { self.values = values }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) {
        out.shortText { UUIDText.append(values[row * 16..<row * 16 + 16], to: &$0) }
    }
}

final class RecordCell: AvroCell {
    private let fields: [AvroCell]
    init(_ fields: [AvroCell]) { self.fields = fields }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) { for field in fields { try field.write(row, &out) } }
}

/// Items of a list, or entries of a map: in one block.
final class ItemsCell: AvroCell {
    private let offsets: [Int32]
    private let cells: [AvroCell]
    init(_ offsets: [Int32], _ cells: [AvroCell]) {
        self.offsets = offsets
        self.cells = cells
    }
    override func write(_ row: Int, _ out: inout AvroBytes) throws(ConnectorError) {
        let items = Int(offsets[row])..<Int(offsets[row + 1])
        if !items.isEmpty {
            out.long(Int64(items.count))
            for item in items { for cell in cells { try cell.write(item, &out) } }
        }
        out.byte(0)
    }
}
