import ConnectAPI
import JSON

extension AvroCell {
    static func place(_ path: String) -> String { path.isEmpty ? "The value" : "The field \(path)" }

    static func nullRequired(_ path: String) -> ConnectorError {
        ConnectorError("avro.null_in_required", .reject, "\(place(path)) is required and has no value", hint: "Make the field optional in the source's schema")
    }

    private static func mismatch(_ column: Column, _ type: AvroType, _ path: String) -> ConnectorError {
        let schema = column.schema
        return ConnectorError(
            "avro.incompatible_schema", .reject,
            "\(place(path)) is \(schema.type.rawValue.uppercased())\(schema.name.map { " (\($0))" } ?? ""), which the Avro type \(type.typeName) does not hold")
    }

    /// The cell of a column as a type. `standsIn`: a null is the schema's default, as for members of structs.
    static func make(_ column: Column, _ type: AvroType, _ options: AvroOptions, path: String, standsIn: Bool = false) throws(ConnectorError) -> AvroCell {
        if case .constant = column.storage, column.unavailable == nil, column.validity == nil {
            guard column.count > 0 else { return ConstantAvroCell([]) }
            let cell = try make(column.slice(0..<1).materialized(), type, options, path: path, standsIn: standsIn)
            var out = AvroBytes()
            do { try cell.write(0, &out) } catch { return RefusedCell(error) }
            return ConstantAvroCell(out.bytes)
        }
        if case .constant = column.storage { return try make(column.materialized(), type, options, path: path, standsIn: standsIn) }
        var cell: AvroCell
        var null: [UInt8]?
        switch type.kind {
        case .union(let branches):
            if let index = branches.firstIndex(where: \.isNull) {
                var out = AvroBytes()
                out.long(Int64(index))
                null = out.bytes
            }
            cell = try column.schema.isAvroUnion ? union(column, branches, options, path) : branch(column, type, branches, options, path)
        default: cell = try value(column, type, options, path)
        }
        let schema = column.schema
        if let valid = column.validity, !valid.allSet {
            if standsIn, !options.ignoresDefaultForNullables, let value = schema.defaultValue, !value.isNull {
                null = try bytes(of: value, schema, type, options, path)
            }
            cell = ChoiceCell(valid, otherwise: null, cell, path: path)
        }
        if let unavailable = column.unavailable, !unavailable.noneSet {
            let value = ConnectJSONValue.unavailable(schema, ConnectJSONOptions(unavailablePlaceholder: options.unavailablePlaceholder))
            cell = ChoiceCell(!unavailable, otherwise: try? bytes(of: value, schema, type, options, path), cell, path: path)
        }
        return cell
    }

    /// The bytes of one value.
    private static func bytes(
        of value: Value, _ schema: Schema, _ type: AvroType, _ options: AvroOptions, _ path: String
    ) throws(ConnectorError) -> [UInt8] {
        var out = AvroBytes()
        try make(Column(schema, [value]), type, options, path: path).write(0, &out)
        return out.bytes
    }

    /// The branch of a union that holds the column's values.
    private static func branch(
        _ column: Column, _ type: AvroType, _ branches: [AvroType], _ options: AvroOptions, _ path: String
    ) throws(ConnectorError) -> AvroCell {
        // The one of the same name, else the first that fits.
        let present = branches.indices.filter { !branches[$0].isNull }, name = column.schema.name
        let order = present.filter { name != nil && branches[$0].fullName == name } + present.filter { name == nil || branches[$0].fullName != name }
        var failure: ConnectorError?
        for index in order {
            do { return BranchCell(index, try value(column, branches[index], options, path)) } catch { failure = failure ?? error }
        }
        throw order.count == 1 ? failure! : mismatch(column, type, path)
    }

    /// A struct that stands for a union.
    private static func union(_ column: Column, _ branches: [AvroType], _ options: AvroOptions, _ path: String) throws(ConnectorError) -> AvroCell {
        var members: [(valid: Bitmap?, cell: AvroCell)] = []
        let own = branches.indices.filter { !branches[$0].isNull }
        for (i, field) in column.schema.fields.enumerated() {
            guard let index = own.first(where: { branches[$0].memberName(options) == field.name }) ?? (i < own.count ? own[i] : nil) else {
                throw ConnectorError("avro.incompatible_schema", .reject, "\(place(path)) may be \(field.name), which the Avro union does not have")
            }
            let member = column.child(at: i)
            members.append((member.validRows, BranchCell(index, try value(member.materialized(), branches[index], options, path))))
        }
        return UnionCell(members, path: path)
    }

    /// Values that are not null.
    private static func value(_ column: Column, _ type: AvroType, _ options: AvroOptions, _ path: String) throws(ConnectorError) -> AvroCell {
        switch (column.storage, type.kind) {
        case (.boolean(let v), .boolean): return BooleanAvroCell(v)
        case (.int32(let v), .int), (.int32(let v), .long): return Int32AvroCell(v)
        case (.int32(let v), .double): return DoubleAvroCell(v.map { Double($0) })
        case (.int64(let v), .long): return Int64AvroCell(v)
        case (.float32(let v), .float): return FloatAvroCell(v)
        case (.float32(let v), .double): return DoubleAvroCell(v.map { Double($0) })
        case (.float64(let v), .double): return DoubleAvroCell(v)
        case (.utf8(let v), .string), (.binary(let v), .bytes): return BytesAvroCell(v)
        case (.utf8(let v), .enumeration(let symbols, _)): return EnumCell(v, symbols, path: path)
        case (.utcMicros(let v, let digits), .string): return TimestampAvroCell(v, digits: digits)
        case (.uuid(let v), .string): return UUIDAvroCell(v)
        case (.decimal128(let v), .bytes): return DecimalAvroCell(v)
        case (.binary(let v), .fixed(let size)): return FixedCell(v, size: size, isNumber: column.schema.name == LogicalName.decimal, path: path)
        case (.decimal128(let v), .fixed(let size)):
            var values = VarBytes()
            for number in v { values.append(number.bigEndianTwosComplement) }
            return FixedCell(values, size: size, isNumber: true, path: path)
        case (.list(let offsets, let items), .array(let type)): return ItemsCell(offsets, [try make(items, type, options, path: path)])
        case (.map(let offsets, let keys, let values), .map(let type)):
            let key = try make(keys.with(schema: Schema(.string)), AvroType(.string), options, path: path)
            return ItemsCell(offsets, [key, try make(values, type, options, path: path)])
        case (.map(let offsets, let keys, let values), .array(let items)):
            guard let entry = try items.mapEntry else { throw mismatch(column, type, path) }
            return ItemsCell(
                offsets, [try make(keys, entry.key, options, path: path), try make(values, entry.value, options, path: path)])
        case (.struct(let children), .record(let fields)): return try record(column, children, type, fields, options, path)
        default: throw mismatch(column, type, path)
        }
    }

    private static func record(
        _ column: Column, _ children: [Column], _ type: AvroType, _ fields: [AvroType.Field], _ options: AvroOptions, _ path: String
    ) throws(ConnectorError) -> AvroCell {
        let names = column.schema.fields.map { options.scrubsInvalidNames ? AvroName.scrubbed($0.name) : $0.name }
        var cells: [AvroCell] = [], used = Set<Int>()
        for (i, field) in fields.enumerated() {
            let place = path.isEmpty ? field.name : "\(path).\(field.name)"
            // Nearly always in the same place.
            if let index = i < names.count && names[i] == field.name ? i : names.firstIndex(of: field.name) {
                used.insert(index)
                cells.append(try make(children[index], field.type, options, path: place, standsIn: true))
            } else if let json = field.defaultValue {
                cells.append(ConstantAvroCell(try bytes(ofDefault: json, field.type, options, place)))
            } else {
                throw ConnectorError(
                    "avro.incompatible_schema", .reject, "\(AvroCell.place(place)) of the Avro schema has no default, and the record does not have it")
            }
        }
        if let left = names.indices.first(where: { !used.contains($0) }) {
            throw ConnectorError(
                "avro.incompatible_schema", .reject, "The Avro schema \(type.fullName ?? "") has no field \(path.isEmpty ? "" : path + ".")\(names[left])")
        }
        return RecordCell(cells)
    }

    /// The default of a field as it is written.
    private static func bytes(ofDefault json: JSONValue, _ type: AvroType, _ options: AvroOptions, _ path: String) throws(ConnectorError) -> [UInt8] {
        if case .union(let branches) = type.kind, let first = branches.first {
            var out = AvroBytes()
            out.long(0)
            if !first.isNull { out.raw(try bytes(ofDefault: json, first, options, path)) }
            return out.bytes
        }
        let schema = try type.connectSchema(options)
        guard let value = AvroDefault.value(json, type, schema, options) else {
            throw ConnectorError("avro.schema_invalid", .reject, "The default of \(path) in the Avro schema is none of its type")
        }
        return try bytes(of: value, schema, type, options, path)
    }
}
