import ConnectAPI

/// A field of the record and what it is in the file.
///
///     Connect schema            file
///     ------------------------  --------------------------------------------------------------
///     scalar                    leaf; see `LeafMapping`
///     STRUCT                    group of its fields
///     ARRAY of T                group f (LIST) { repeated group list { T element } }
///     MAP of STRING to V        group f (MAP) { repeated group key_value { required key; V value } }
///     MAP of K to V             a LIST of groups { key, value }: readers expect strings as keys of a MAP
///
/// Every field is optional unless `keepRequired`: a NOT NULL that is dropped later must not break the readers of old files.
struct MappedField: Sendable {
    indirect enum Kind: Sendable {
        /// `index` counts the file's leaves.
        case leaf(index: Int, Conversion)
        case group([MappedField])
        case list(MappedField)
        case map(key: MappedField, value: MappedField)
        /// A MAP written as a list of entries.
        case entries(key: MappedField, value: MappedField)
    }

    /// As the record spells it, for error texts.
    var name: String
    var schema: Schema
    var isOptional: Bool
    var kind: Kind
    /// The leaves below, which lie side by side in the file.
    var leaves: Range<Int>
}

/// The file's schema and how each field gets there.
struct SchemaMapping: Sendable {
    private(set) var fields: [MappedField] = []
    private(set) var leaves: [Leaf] = []
    private(set) var elements: [SchemaElement] = []
    private let options: ParquetOptions

    /// Deeper nesting is refused: levels are kept in a byte, and no table is as deep.
    private static let depthLimit = 60

    init(_ schema: Schema, _ options: ParquetOptions) throws(ConnectorError) {
        self.options = options
        guard schema.type == .struct else {
            throw ConnectorError(
                "parquet.not_a_struct", .stop,
                "Parquet files are made of structs, and this topic's values are \(schema.type.rawValue.uppercased())",
                hint: "Wrap the value with the HoistField transform, or choose another format")
        }
        elements.append(SchemaElement(name: "schema", childCount: schema.fields.count))
        try requireFields(schema, at: "the record")
        fields = try group(schema, Position(path: [], definition: 0, repetition: 0))
    }

    private struct Position {
        var path: [String]
        var definition: Int
        var repetition: Int

        func below(_ name: String, optional: Bool, repeated: Bool = false) -> Position {
            Position(
                path: path + [name], definition: definition + (optional || repeated ? 1 : 0), repetition: repetition + (repeated ? 1 : 0))
        }
    }

    private func requireFields(_ schema: Schema, at place: String) throws(ConnectorError) {
        guard schema.fields.isEmpty else { return }
        throw ConnectorError(
            "parquet.empty_struct", .stop, "The struct at \(place) has no fields, and Parquet has no groups without columns",
            hint: "Drop it with the ReplaceField transform, or turn it into a string")
    }

    private mutating func group(_ schema: Schema, _ at: Position) throws(ConnectorError) -> [MappedField] {
        let names = FieldNaming(options.fieldNames).names(schema.fields.map(\.name))
        var out: [MappedField] = []
        for (field, name) in zip(schema.fields, names) { out.append(try map(field.schema, field.name, as: name, at)) }
        return out
    }

    private mutating func map(_ schema: Schema, _ name: String, as spelled: String, _ parent: Position, required: Bool = false)
        throws(ConnectorError) -> MappedField
    {
        let optional = !required && (schema.isOptional || !options.keepRequired)
        let at = parent.below(spelled, optional: optional)
        guard at.path.count <= Self.depthLimit else {
            throw ConnectorError("parquet.too_deep", .stop, "The schema nests deeper than \(Self.depthLimit) levels at \(at.path[0])")
        }
        let repetition: Repetition = optional ? .optional : .required
        let first = leaves.count
        let kind: MappedField.Kind
        if let leaf = LeafMapping(schema, options) {
            elements.append(
                SchemaElement(name: spelled, repetition: repetition, physical: leaf.physical, length: leaf.length, logical: leaf.logical))
            leaves.append(
                Leaf(
                    path: at.path, physical: leaf.physical, length: leaf.length, logical: leaf.logical, maxDefinition: at.definition,
                    maxRepetition: at.repetition))
            kind = .leaf(index: first, leaf.conversion)
        } else {
            kind = try nested(schema, spelled, repetition, at)
        }
        return MappedField(name: name, schema: schema, isOptional: optional, kind: kind, leaves: first..<leaves.count)
    }

    private mutating func nested(_ schema: Schema, _ name: String, _ repetition: Repetition, _ at: Position) throws(ConnectorError)
        -> MappedField.Kind
    {
        switch schema.type {
        case .array:
            elements.append(SchemaElement(name: name, repetition: repetition, logical: .list, childCount: 1))
            elements.append(SchemaElement(name: "list", repetition: .repeated, childCount: 1))
            let element = try requireElement(schema.element, at)
            return .list(try map(element, "element", as: "element", at.below("list", optional: false, repeated: true)))
        case .map:
            let key = try requireElement(schema.key, at), value = try requireElement(schema.element, at)
            if key.type == .string {
                elements.append(SchemaElement(name: name, repetition: repetition, logical: .map, childCount: 1))
                elements.append(SchemaElement(name: "key_value", repetition: .repeated, childCount: 2))
                let entry = at.below("key_value", optional: false, repeated: true)
                return .map(
                    key: try map(key, "key", as: "key", entry, required: true), value: try map(value, "value", as: "value", entry))
            }
            elements.append(SchemaElement(name: name, repetition: repetition, logical: .list, childCount: 1))
            elements.append(SchemaElement(name: "list", repetition: .repeated, childCount: 1))
            elements.append(SchemaElement(name: "element", repetition: .required, childCount: 2))
            let entry = at.below("list", optional: false, repeated: true).below("element", optional: false)
            return .entries(
                key: try map(key, "key", as: "key", entry, required: true), value: try map(value, "value", as: "value", entry))
        default:
            try requireFields(schema, at: at.path.joined(separator: "."))
            elements.append(SchemaElement(name: name, repetition: repetition, childCount: schema.fields.count))
            return .group(try group(schema, at))
        }
    }

    private func requireElement(_ schema: Schema?, _ at: Position) throws(ConnectorError) -> Schema {
        guard let schema else {
            throw ConnectorError(
                "parquet.incomplete_schema", .stop, "The schema of \(at.path.joined(separator: ".")) does not say what its elements are")
        }
        return schema
    }
}

/// Spells field names as the options ask.
struct FieldNaming {
    private let style: ParquetOptions.FieldNames

    init(_ style: ParquetOptions.FieldNames) { self.style = style }

    /// The fields of one struct; never two alike, since a reader could not tell them apart: the later one gets a number.
    func names(_ fields: [String]) -> [String] {
        guard style != .keep else { return fields }
        var seen: Set<String> = []
        return fields.map { field in
            var name = spell(field)
            var n = 2
            while !seen.insert(name.lowercased()).inserted {
                let suffix = "_\(n)"
                name = String(spell(field).prefix(300 - suffix.count)) + suffix
                n += 1
            }
            return name
        }
    }

    private func spell(_ name: String) -> String {
        if style == .lower { return name.lowercased() }
        var out = String(
            String.UnicodeScalarView(
                name.unicodeScalars.prefix(300).map { scalar in
                    scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil) ? scalar : "_"
                }))
        if out.isEmpty { out = "_" }
        // BigQuery wants a letter or an underscore first.
        if out.first!.isNumber { out = String(("_" + out).prefix(300)) }
        return out
    }
}
