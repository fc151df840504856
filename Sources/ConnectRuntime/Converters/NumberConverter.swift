package import ConnectAPI

/// `org.apache.kafka.connect.converters.{Boolean,Short,Integer,Long,Float,Double}Converter`: big-endian and of fixed width.
package struct NumberConverter: Converter {
    package enum Kind: String, CaseIterable, Sendable {
        case boolean = "Boolean", short = "Short", integer = "Integer", long = "Long", float = "Float", double = "Double"

        var schemaType: SchemaType {
            switch self {
            case .boolean: .boolean
            case .short: .int16
            case .integer: .int32
            case .long: .int64
            case .float: .float32
            case .double: .float64
            }
        }

        var width: Int {
            switch self {
            case .boolean: 1
            case .short: 2
            case .integer, .float: 4
            case .long, .double: 8
            }
        }
    }

    private let kind: Kind
    package init(_ kind: Kind) { self.kind = kind }

    package func render(_ column: Column?, count: Int, nullSchemaRows: Bitmap?, topic: String) throws -> RenderedRows {
        guard let column else { return .absent(count) }
        guard column.schema.type == kind.schemaType else {
            throw ConnectorError(
                "converter.type_mismatch", .stop,
                "Invalid schema type for \(kind.rawValue)Converter: \(column.schema.type.rawValue.uppercased())",
                hint: "Topic \(topic)")
        }
        var out = VarBytes()
        for row in 0..<count {
            let bits: UInt64
            switch column[row] {
            case .boolean(let b): bits = b ? 1 : 0
            case .integer(let i): bits = UInt64(bitPattern: i)
            case .float(let f): bits = UInt64(f.bitPattern)
            case .double(let d): bits = d.bitPattern
            default:
                out.appendEmpty()
                continue
            }
            out.append((0..<kind.width).lazy.map { UInt8(truncatingIfNeeded: bits >> UInt64((kind.width - 1 - $0) * 8)) })
        }
        let valid = column.validRows
        return RenderedRows(values: out, present: nullSchemaRows.map { nulls in valid.map { $0 & !nulls } ?? !nulls } ?? valid)
    }

    package func parse(_ rows: RenderedRows, topic: String) throws -> Column {
        var values: [Value] = []
        for row in 0..<rows.values.count {
            guard let bytes = rows.bytes(row) else {
                values.append(.null)
                continue
            }
            guard bytes.count == kind.width else {
                throw ConnectorError(
                    "converter.wrong_width", .reject,
                    "Row \(row) of a batch from topic \(topic) has \(bytes.count) bytes, not the \(kind.width) of a \(kind.rawValue)")
            }
            let bits = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            switch kind {
            case .boolean: values.append(.boolean(bits != 0))
            case .short: values.append(.integer(Int64(Int16(truncatingIfNeeded: bits))))
            case .integer: values.append(.integer(Int64(Int32(truncatingIfNeeded: bits))))
            case .long: values.append(.integer(Int64(bitPattern: bits)))
            case .float: values.append(.float(Float(bitPattern: UInt32(truncatingIfNeeded: bits))))
            case .double: values.append(.double(Double(bitPattern: bits)))
            }
        }
        return Column(Schema(kind.schemaType, optional: true), values)
    }
}
