package import ConnectAPI

/// The rows of a column in Avro's binary encoding. What a column is made of, and how it meets the type it is written as, is decided once, not once
/// a row.
package struct AvroRows {
    private let cell: AvroCell

    /// `type`: the column's own schema as Avro, or another that its values fit: fields are met by name, those the column lacks have the type's
    /// default. `isBare`: bytes that are the whole value have no length, as Confluent's serializer writes them. Throws `.reject` where they do not fit.
    package init(_ column: Column, _ type: AvroType, _ options: AvroOptions = AvroOptions(), isBare: Bool = false) throws(ConnectorError) {
        if isBare, case .bytes = type.kind {
            cell = BareCell(try AvroCell.make(column, type, options, path: ""))
        } else {
            cell = try AvroCell.make(column, type, options, path: "")
        }
    }

    /// Appends a row. Throws `.reject` for a null where the schema has none; what was appended then is to be dropped.
    package func write(_ row: Int, to out: inout AvroBytes) throws(ConnectorError) { try cell.write(row, &out) }
}
