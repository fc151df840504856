import ConnectAPI

/// Decides, from a column's PostgreSQL type and the settings, the schema of its field and how its values are decoded.
///
/// Follows "Data type mappings" of Debezium's PostgreSQL connector and, where they disagree, recordings of version 3.3.1.
struct TypeResolver {
    let types: [UInt32: TypeDefinition]
    let conversion: ValueConversion

    struct Resolved {
        var schema: Schema
        let decoder: ColumnDecoder
        /// Whether the binary send format can be decoded too.
        let isBinaryCapable: Bool
        /// What stands for a value nothing is known of: 0, "", false, 1970.
        let zero: Value
        /// text, varchar, char, name and domains over them: what masks apply to.
        var isCharacter: Bool { schema.type == .string && schema.name == nil && (decoder == .text || decoder == .name) }
    }

    /// nil: the type is not supported and `include.unknown.datatypes` is off.
    func resolve(_ column: ColumnDefinition) -> Resolved? {
        guard var resolved = resolve(column.typeOID, column.typeModifier, optional: !column.isNotNull) else { return nil }
        if let expression = column.defaultExpression, !column.isGenerated, let value = DefaultExpression(expression).value(of: resolved) {
            resolved.schema = resolved.schema.with(default: .some(value))
        }
        return resolved
    }

    private func resolve(_ oid: UInt32, _ modifier: Int32, optional: Bool) -> Resolved? {
        guard let type = types[oid] else { return unknown("", optional) }
        switch type.kind {
        case .domain:
            // The modifier comes from the outermost domain only, the type from the innermost base.
            let domainModifier = modifier == -1 ? type.baseModifier : modifier
            return resolve(root(type.baseOID), domainModifier, optional: optional)
        case .enum: return enumeration(type, optional: optional, binary: true)
        case .base where type.elementOID != 0 && type.name.hasPrefix("_"): return array(type, modifier, optional)
        case .base, .range: return scalar(type, modifier, optional) ?? unknown(type.name, optional)
        case .composite, .pseudo, .multirange: return unknown(type.name, optional)
        }
    }

    /// The labels of an enum type or of a domain over one; empty for others.
    func labels(_ oid: UInt32) -> [String] { types[root(oid)]?.labels ?? [] }

    private func root(_ oid: UInt32, depth: Int = 0) -> UInt32 {
        guard depth < 32, let type = types[oid], type.kind == .domain else { return oid }
        return root(type.baseOID, depth: depth + 1)
    }

    private func enumeration(_ type: TypeDefinition, optional: Bool, binary: Bool) -> Resolved {
        let schema = Schema(
            .string, optional: optional, name: LogicalName.enum, version: 1,
            parameters: [.init("allowed", type.labels.joined(separator: ","))])
        return Resolved(schema: schema, decoder: .text, isBinaryCapable: binary, zero: "")
    }

    private func array(_ type: TypeDefinition, _ modifier: Int32, _ optional: Bool) -> Resolved? {
        guard let element = types[type.elementOID] else { return unknown(type.name, optional) }
        let resolved: Resolved?
        switch element.kind {
        // Debezium declares an enum's elements as never null; a null element still is one.
        case .enum: resolved = enumeration(element, optional: false, binary: true)
        case .base, .range: resolved = Self.arrayElements.contains(element.name) ? scalar(element, modifier, true) : nil
        default: resolved = nil
        }
        guard let resolved else { return unknown(type.name, optional) }
        return Resolved(
            schema: .array(resolved.schema, optional: optional), decoder: .array(resolved.decoder), isBinaryCapable: resolved.isBinaryCapable,
            zero: .array([]))
    }

    /// Types whose arrays are captured; arrays of others are unknown types.
    private static let arrayElements: Set<String> = [
        "bool", "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "text", "varchar", "bpchar", "citext", "date", "time",
        "timetz", "timestamp", "timestamptz", "json", "jsonb", "uuid", "inet", "cidr", "macaddr", "macaddr8", "bytea", "int4range",
        "int8range", "numrange", "tsrange", "tstzrange", "daterange", "ltree", "hstore",
    ]

    private func unknown(_ name: String, _ optional: Bool) -> Resolved? {
        guard conversion.includesUnknownTypes else { return nil }
        let isGeometric = ["line", "lseg", "box", "path", "polygon", "circle"].contains(name)
        let isBytes = conversion.binary == .bytes
        return Resolved(
            schema: Schema(isBytes ? .bytes : .string, optional: optional),
            decoder: .opaque(conversion.binary, rewritesNumbers: isGeometric), isBinaryCapable: false, zero: isBytes ? .bytes([]) : "")
    }

    // MARK: - Scalars

    private func scalar(_ type: TypeDefinition, _ modifier: Int32, _ optional: Bool) -> Resolved? {
        func plain(_ schemaType: SchemaType, _ decoder: ColumnDecoder, _ zero: Value, binary: Bool = true) -> Resolved {
            Resolved(schema: Schema(schemaType, optional: optional), decoder: decoder, isBinaryCapable: binary, zero: zero)
        }
        func named(_ schemaType: SchemaType, _ name: String, _ decoder: ColumnDecoder, _ zero: Value, binary: Bool = true) -> Resolved {
            Resolved(
                schema: Schema(schemaType, optional: optional, name: name, version: 1), decoder: decoder, isBinaryCapable: binary, zero: zero)
        }
        switch type.name {
        case "bool": return plain(.boolean, .boolean, false)
        case "int2": return plain(.int16, .int32, 0)
        case "int4": return plain(.int32, .int32, 0)
        case "int8": return plain(.int64, .int64, 0)
        case "oid": return plain(.int64, .oid, 0)
        case "float4": return plain(.float32, .float32, .float(0))
        case "float8": return plain(.float64, .float64, .double(0))
        case "text", "varchar", "bpchar", "citext": return plain(.string, .text, "")
        case "name": return plain(.string, conversion.includesUnknownTypes ? .text : .name, "")
        case "char", "inet", "cidr", "macaddr", "macaddr8", "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange", "isbn",
            "isbn13", "issn", "issn13", "ismn", "ismn13", "ean13", "upc":
            return plain(.string, .text, "", binary: false)
        case "json": return named(.string, LogicalName.json, .text, "{}")
        case "jsonb": return named(.string, LogicalName.json, .jsonb, "{}")
        case "xml": return named(.string, LogicalName.xml, .text, "", binary: false)
        case "ltree": return named(.string, LogicalName.ltree, .text, "", binary: false)
        case "tsvector": return named(.string, LogicalName.tsvector, .text, "", binary: false)
        case "uuid": return named(.string, LogicalName.uuid, .uuid, "00000000-0000-0000-0000-000000000000")
        case "bytea":
            return conversion.binary == .bytes
                ? plain(.bytes, .bytea(.bytes), .bytes([])) : plain(.string, .bytea(conversion.binary), "")
        case "numeric": return numeric(modifier, optional)
        case "money": return money(optional)
        case "bit", "varbit": return bits(type.name, modifier, optional)
        case "hstore":
            if conversion.hstore == .json { return named(.string, LogicalName.json, .hstore(.json), "{}", binary: false) }
            let map = Schema.map(DebeziumSchemas.string, DebeziumSchemas.optionalString, optional: optional)
            return Resolved(schema: map, decoder: .hstore(.map), isBinaryCapable: false, zero: .map([]))
        case "point":
            let zero = Value.struct([.double(0), .double(0), .null, .null])
            return Resolved(
                schema: DebeziumSchemas.point.with(optional: optional), decoder: .point, isBinaryCapable: true, zero: zero)
        case "geometry", "geography":
            let schema = type.name == "geometry" ? DebeziumSchemas.geometry : DebeziumSchemas.geography
            return Resolved(
                schema: schema.with(optional: optional), decoder: .geometry, isBinaryCapable: true, zero: .struct([.bytes([]), .null]))
        case "vector": return vector(DebeziumSchemas.doubleVector, .vector(isHalf: false), optional)
        case "halfvec": return vector(DebeziumSchemas.floatVector, .vector(isHalf: true), optional)
        case "sparsevec":
            return Resolved(
                schema: DebeziumSchemas.sparseVector.with(optional: optional), decoder: .sparseVector, isBinaryCapable: true,
                zero: .struct([0, .map([])]))
        default: return temporal(type.name, modifier, optional)
        }
    }

    private func vector(_ schema: Schema, _ decoder: ColumnDecoder, _ optional: Bool) -> Resolved {
        Resolved(schema: schema.with(optional: optional), decoder: decoder, isBinaryCapable: true, zero: .array([]))
    }

    private func numeric(_ modifier: Int32, _ optional: Bool) -> Resolved {
        let isConstrained = modifier >= 4
        let precision = Int((modifier &- 4) >> 16 & 0xFFFF)
        // Eleven bits, signed since PostgreSQL 15.
        let scale = Int(((modifier &- 4) & 0x7FF) ^ 1024) - 1024
        switch conversion.decimal {
        case .double: return Resolved(schema: Schema(.float64, optional: optional), decoder: .decimalDouble, isBinaryCapable: true, zero: .double(0))
        case .string: return Resolved(schema: Schema(.string, optional: optional), decoder: .decimalText, isBinaryCapable: true, zero: "0")
        case .precise where isConstrained:
            let schema = Schema(
                .bytes, optional: optional, name: LogicalName.decimal, version: 1,
                parameters: [.init("scale", "\(scale)"), .init("connect.decimal.precision", "\(precision)")])
            return Resolved(
                schema: schema, decoder: precision <= 38 ? .decimal128(scale: scale) : .decimalBytes(scale: scale), isBinaryCapable: true,
                zero: .bytes([0]))
        case .precise:
            return Resolved(
                schema: DebeziumSchemas.variableScaleDecimal.with(optional: optional), decoder: .variableDecimal, isBinaryCapable: true,
                zero: .struct([0, .bytes([0])]))
        }
    }

    private func money(_ optional: Bool) -> Resolved {
        let decoder = ColumnDecoder.money(conversion.decimal, scale: conversion.moneyFractionDigits)
        switch conversion.decimal {
        case .double: return Resolved(schema: Schema(.float64, optional: optional), decoder: decoder, isBinaryCapable: false, zero: .double(0))
        case .string:
            return Resolved(
                schema: Schema(.string, optional: optional), decoder: decoder, isBinaryCapable: false,
                zero: .string(Self.zeroMoney(conversion.moneyFractionDigits)))
        case .precise:
            let schema = Schema(
                .bytes, optional: optional, name: LogicalName.decimal, version: 1,
                parameters: [.init("scale", "\(conversion.moneyFractionDigits)")])
            return Resolved(schema: schema, decoder: decoder, isBinaryCapable: false, zero: .bytes([0]))
        }
    }

    private static func zeroMoney(_ digits: Int) -> String { digits == 0 ? "0" : "0." + String(repeating: "0", count: digits) }

    private func bits(_ name: String, _ modifier: Int32, _ optional: Bool) -> Resolved {
        if modifier == 1 { return Resolved(schema: Schema(.boolean, optional: optional), decoder: .bit, isBinaryCapable: false, zero: false) }
        let schema = Schema(
            .bytes, optional: optional, name: LogicalName.bits, version: 1,
            parameters: [.init("length", modifier < 0 ? "2147483647" : "\(modifier)")])
        return Resolved(schema: schema, decoder: .bits, isBinaryCapable: false, zero: .bytes([]))
    }

    private func temporal(_ name: String, _ modifier: Int32, _ optional: Bool) -> Resolved? {
        func named(_ type: SchemaType, _ name: String, _ decoder: ColumnDecoder, _ zero: Value = 0) -> Resolved {
            Resolved(schema: Schema(type, optional: optional, name: name, version: 1), decoder: decoder, isBinaryCapable: true, zero: zero)
        }
        let isCoarse = (0...3).contains(modifier)
        switch name {
        case "date":
            switch conversion.time {
            case .isostring: return named(.string, LogicalName.isoDate, .date(isText: true), "1970-01-01Z")
            case .connect: return named(.int32, LogicalName.connectDate, .date(isText: false))
            default: return named(.int32, LogicalName.date, .date(isText: false))
            }
        case "time":
            switch conversion.time {
            case .adaptive where isCoarse: return named(.int32, LogicalName.time, .time(.millis))
            case .connect: return named(.int32, LogicalName.connectTime, .time(.millis))
            case .nanoseconds: return named(.int64, LogicalName.nanoTime, .time(.nanos))
            case .isostring: return named(.string, LogicalName.isoTime, .time(.text), "00:00:00Z")
            default: return named(.int64, LogicalName.microTime, .time(.micros))
            }
        case "timestamp":
            switch conversion.time {
            case .adaptive where isCoarse, .adaptiveTimeMicroseconds where isCoarse:
                return named(.int64, LogicalName.timestamp, .timestamp(.millis))
            case .connect: return named(.int64, LogicalName.connectTimestamp, .timestamp(.millis))
            case .nanoseconds: return named(.int64, LogicalName.nanoTimestamp, .timestamp(.nanos))
            case .isostring: return named(.string, LogicalName.isoTimestamp, .timestamp(.text), "1970-01-01T00:00:00Z")
            default: return named(.int64, LogicalName.microTimestamp, .timestamp(.micros))
            }
        case "timestamptz":
            let digits = (0...6).contains(modifier) ? Int(modifier) : 6
            return named(
                .string, LogicalName.zonedTimestamp, .timestamptz(fractionDigits: digits),
                .string(ISO8601.timestamp(micros: 0, fractionDigits: digits)))
        case "timetz": return named(.string, LogicalName.zonedTime, .timetz, "00:00:00Z")
        case "interval":
            if conversion.interval == .string { return named(.string, LogicalName.interval, .interval(.string), "P0Y0M0DT0H0M0S") }
            return named(.int64, LogicalName.microDuration, .interval(.numeric))
        default: return nil
        }
    }
}
