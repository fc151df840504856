package import ConnectAPI

/// Renders the rows of a column as JsonConverter would.
///
///     column ──compile, once a batch──▶ program: literal, cell, literal, cell, …, literal
///     row ──▶ each literal copied, each cell writes its value ──▶ bytes
///
/// Everything the rows share is one literal: the schema envelope, braces, member names, and every constant column. A Debezium envelope with
/// forty members thus costs a handful of copies and its dozen changing values. Structs that are never null dissolve into their parent's
/// program. Nothing is allocated for a row.
package struct ConnectJSONRenderer: ~Copyable {
    private let program: Program

    /// `schema`: the column's schema as JSON, when it is known already (see `ConnectJSONSchema`).
    package init(_ column: Column, _ options: ConnectJSONOptions, schema: [UInt8]? = nil) {
        var compiler = RowCompiler(options)
        if options.schemasEnabled {
            compiler.literal("{\"schema\":")
            if column.schema.isSchemaless {
                compiler.literal("null")
            } else if let schema {
                compiler.literal { $0.raw(schema) }
            } else {
                compiler.literal { ConnectJSONSchema.write(column.schema, options, to: &$0) }
            }
            compiler.literal(",\"payload\":")
            compiler.add(column)
            compiler.literal("}")
        } else {
            compiler.add(column)
        }
        program = compiler.finish()
    }

    /// Throws a `.reject` error when the row holds a null its schema does not allow.
    package func write(_ row: Int, to out: inout JSONWriter) throws(ConnectorError) { try program.write(row, &out) }
}

/// Builds programs: adjacent literals become one.
struct RowCompiler {
    private let options: ConnectJSONOptions
    private var literals: [UInt8] = []
    private var ends: [Int] = []
    private var cells: [Cell] = []

    init(_ options: ConnectJSONOptions) { self.options = options }

    mutating func literal(_ text: StaticString) { text.withUTF8Buffer { literals.append(contentsOf: $0) } }

    mutating func literal(_ write: (inout JSONWriter) -> Void) {
        var writer = JSONWriter()
        write(&writer)
        literals += writer.take()
    }

    private mutating func cell(_ cell: Cell) {
        ends.append(literals.count)
        cells.append(cell)
    }

    consuming func finish() -> Program { Program(literals: literals, ends: ends, cells: cells) }

    mutating func add(_ column: Column) {
        let schema = column.schema
        let unavailable = column.unavailable.flatMap { $0.noneSet ? nil : $0 }
        if unavailable == nil, case .constant(let value) = column.storage, column.validity == nil || value.isNull {
            if value.isNull { return null(schema) }
            return literal { [options] in ConnectJSONValue.write(value, schema, options, to: &$0) }
        }
        let validity = column.validRows.flatMap { $0.allSet ? nil : $0 }
        if validity == nil, unavailable == nil { return present(column) }
        var inner = RowCompiler(options)
        if case .constant(.null) = column.storage { inner.null(schema) } else { inner.present(column) }
        var cell = inner.finish().asCell
        if let validity { cell = NullableCell(validity, otherwise: replacement(.null, schema), cell) }
        if let unavailable {
            cell = NullableCell(!unavailable, otherwise: replacement(ConnectJSONValue.unavailable(schema, options), schema), cell)
        }
        self.cell(cell)
    }

    private mutating func null(_ schema: Schema) {
        if case let bytes? = replacement(.null, schema) { literals += bytes } else { cell(RequiredNullCell()) }
    }

    /// What is written for a null or a placeholder; nil where the schema allows neither null nor has a default.
    private func replacement(_ value: Value, _ schema: Schema) -> [UInt8]? {
        let hasDefault = options.replacesNullWithDefault && schema.defaultValue.map { !$0.isNull } ?? false
        if value.isNull, !schema.isOptional, !hasDefault { return nil }
        var writer = JSONWriter()
        ConnectJSONValue.write(value, schema, options, to: &writer)
        return writer.take()
    }

    /// Values of rows that have one.
    private mutating func present(_ column: Column) {
        switch column.storage {
        case .constant(let value): literal { [options] in ConnectJSONValue.write(value, column.schema, options, to: &$0) }
        case .struct(let children) where children.contains { $0.unavailable != nil } && column.schema.isSchemaless:
            cell(
                ObjectCell(
                    zip(column.schema.fields, children).map { field, child in
                        (name: JSONValue.string(field.name).compactBytes, absent: child.unavailable, value: program(child.with(unavailable: nil)))
                    }))
        case .struct(let children):
            literal("{")
            for (i, child) in children.enumerated() {
                if i > 0 { literal(",") }
                literal { $0.string(column.schema.fields[i].name) }
                literal(":")
                add(child)
            }
            literal("}")
        case .boolean(let values): cell(BooleanCell(values))
        case .int32(let values): cell(Int32Cell(values))
        case .int64(let values): cell(Int64Cell(values))
        case .float32(let values): cell(Float32Cell(values))
        case .float64(let values): cell(Float64Cell(values))
        case .utf8(let values) where column.schema.isSchemaless: cell(JSONTextCell(values))
        case .utf8(let values): cell(UTF8Cell(values))
        case .uuid(let values): cell(UUIDCell(values))
        case .utcMicros(let values, let digits): cell(TimestampCell(values, fractionDigits: digits))
        case .binary(let values):
            if let scale = ConnectJSONValue.numericScale(column.schema, options) {
                cell(NumericBinaryCell(values, scale: scale, maximumDigits: options.numericDigits))
            } else {
                cell(BinaryCell(values))
            }
        case .decimal128(let values):
            if let scale = ConnectJSONValue.numericScale(column.schema, options) {
                cell(NumericCell(values, scale: scale, maximumDigits: options.numericDigits))
            } else {
                cell(DecimalCell(values))
            }
        case .list(let offsets, let values): cell(ListCell(offsets, program(values)))
        case .map(let offsets, let keys, let values):
            cell(MapCell(offsets, keys: program(keys), values: program(values), isObject: keys.schema.type == .string))
        }
    }

    private func program(_ column: Column) -> Cell {
        var inner = RowCompiler(options)
        inner.add(column)
        return inner.finish().asCell
    }
}
