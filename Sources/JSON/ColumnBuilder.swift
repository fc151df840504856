import ConnectAPI

/// Collects the values of one schema from tapes, row by row. A subclass a storage; members of a struct are builders of their own.
class ColumnBuilder {
    final let schema: Schema
    final let options: ConnectJSONOptions
    final var count = 0
    private var validity: Bitmap?
    /// Bytes of the default that replaces null, parsed once.
    private let hasDefault: Bool

    init(_ schema: Schema, _ options: ConnectJSONOptions) {
        self.schema = schema
        self.options = options
        hasDefault = options.replacesNullWithDefault && schema.defaultValue.map { !$0.isNull } ?? false
    }

    static func make(_ schema: Schema, _ options: ConnectJSONOptions) -> ColumnBuilder {
        switch schema.type {
        case .boolean: BooleanBuilder(schema, options)
        case .int8, .int16, .int32: Int32Builder(schema, options)
        case .int64: Int64Builder(schema, options)
        case .float32, .float64: FloatBuilder(schema, options)
        case .string: StringBuilder(schema, options)
        case .bytes: schema.name == LogicalName.decimal ? DecimalBuilder(schema, options) : BytesBuilder(schema, options)
        case .array: ListBuilder(schema, options)
        case .map: MapBuilder(schema, options)
        case .struct: StructBuilder(schema, options)
        }
    }

    /// Takes the value at token `at`, which moves past it.
    final func append(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws {
        let token = tape.tokens[at]
        if token.kind == .null {
            at += 1
            try appendNull()
        } else {
            validity?.append(true)
            try take(tape, bytes, &at)
            count += 1
        }
    }

    /// A null, or a member that is not there.
    final func appendNull() throws {
        if hasDefault, let value = schema.defaultValue {
            validity?.append(true)
            try take(value)
        } else {
            guard schema.isOptional else {
                throw ConnectorError(
                    "converter.null_required", .reject, "Invalid null value for required \(schema.type.rawValue.uppercased()) field")
            }
            if validity == nil { validity = Bitmap(repeating: true, count: count) }
            validity!.append(false)
            blank()
        }
        count += 1
    }

    /// A slot that belongs to a null parent: nobody sees its value.
    final func appendHidden() {
        if schema.isOptional, validity == nil { validity = Bitmap(repeating: true, count: count) }
        validity?.append(false)
        blank()
        count += 1
    }

    /// A value of the schema that is not null: part of a default.
    final func appendPresent(_ value: Value) throws {
        validity?.append(true)
        try take(value)
        count += 1
    }

    final func finish() -> Column { Column(schema, count: count, storage, validity: validity) }

    final func mismatch(_ kind: JSONTape.Kind) -> ConnectorError {
        ConnectorError(
            "converter.type_mismatch", .reject,
            "Invalid type for \(schema.type.rawValue.uppercased())\(schema.name.map { " (\($0))" } ?? ""): the JSON value is of kind \(kind)"
        )
    }

    // What subclasses do: a value of JSON, a value of the schema (a default), a slot for a null.
    func take(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws { preconditionFailure("abstract") }
    func take(_ value: Value) throws { preconditionFailure("abstract") }
    func blank() { preconditionFailure("abstract") }
    var storage: Column.Storage { preconditionFailure("abstract") }
}

final class BooleanBuilder: ColumnBuilder {
    private var values: [UInt8] = []
    override func take(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws {
        let kind = tape.tokens[at].kind
        guard kind == .true || kind == .false else { throw mismatch(kind) }
        values.append(kind == .true ? 1 : 0)
        at += 1
    }
    override func take(_ value: Value) { values.append(value.booleanValue == true ? 1 : 0) }
    override func blank() { values.append(0) }
    override var storage: Column.Storage { .boolean(values) }
}

extension JSONTape.Token {
    /// The number of an integer token; nil when it does not fit.
    func integer(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        var i = Int(start)
        let negative = bytes[i] == UInt8(ascii: "-")
        if negative { i += 1 }
        guard Int(end) - i <= 19 else { return nil }
        var magnitude: UInt64 = 0
        while i < Int(end) {
            magnitude = magnitude &* 10 &+ UInt64(bytes[i] &- 48)
            i += 1
        }
        if negative { return magnitude <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- magnitude) : nil }
        return Int64(exactly: magnitude)
    }
}

final class Int32Builder: ColumnBuilder {
    private var values: [Int32] = []
    override func take(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws {
        let token = tape.tokens[at]
        guard token.kind == .integer, let wide = token.integer(bytes), let value = Int32(exactly: wide) else { throw mismatch(token.kind) }
        let fits = schema.type == .int32 || schema.type == .int16 && Int16(exactly: value) != nil || Int8(exactly: value) != nil
        guard fits else { throw mismatch(token.kind) }
        values.append(value)
        at += 1
    }
    override func take(_ value: Value) { values.append(Int32(truncatingIfNeeded: value.integerValue ?? 0)) }
    override func blank() { values.append(0) }
    override var storage: Column.Storage { .int32(values) }
}

final class Int64Builder: ColumnBuilder {
    private var values: [Int64] = []
    override func take(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws {
        let token = tape.tokens[at]
        guard token.kind == .integer, let value = token.integer(bytes) else { throw mismatch(token.kind) }
        values.append(value)
        at += 1
    }
    override func take(_ value: Value) { values.append(value.integerValue ?? 0) }
    override func blank() { values.append(0) }
    override var storage: Column.Storage { .int64(values) }
}

final class FloatBuilder: ColumnBuilder {
    private var values: [Double] = []
    override func take(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws {
        let token = tape.tokens[at]
        let text = JSONText.string(token, bytes)
        switch token.kind {
        case .integer, .decimal:
            // Read at the width it will have, so that a float is rounded once.
            guard let value = schema.type == .float32 ? Float(text).map(Double.init) : Double(text) else { throw mismatch(token.kind) }
            values.append(value)
        case .string where text == "NaN": values.append(.nan)
        case .string where text == "Infinity": values.append(.infinity)
        case .string where text == "-Infinity": values.append(-.infinity)
        default: throw mismatch(token.kind)
        }
        at += 1
    }
    override func take(_ value: Value) {
        switch value {
        case .float(let f): values.append(Double(f))
        case .double(let d): values.append(d)
        default: values.append(0)
        }
    }
    override func blank() { values.append(0) }
    override var storage: Column.Storage { schema.type == .float32 ? .float32(values.map { Float($0) }) : .float64(values) }
}

final class StringBuilder: ColumnBuilder {
    private var values = VarBytes()
    override func take(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws {
        let token = tape.tokens[at]
        let raw = UnsafeRawBufferPointer(rebasing: bytes[Int(token.start)..<Int(token.end)])
        switch token.kind {
        case .string: values.append(raw)
        case .escapedString:
            JSONText.appendUnescaped(raw, to: &values.bytes)
            values.appendEmpty()
        default: throw mismatch(token.kind)
        }
        at += 1
    }
    override func take(_ value: Value) { values.append((value.stringValue ?? "").utf8) }
    override func blank() { values.appendEmpty() }
    override var storage: Column.Storage { .utf8(values) }
}

final class BytesBuilder: ColumnBuilder {
    private var values = VarBytes()
    override func take(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws {
        let token = tape.tokens[at]
        guard token.kind == .string, let decoded = Base64.decode(bytes[Int(token.start)..<Int(token.end)]) else {
            throw mismatch(token.kind)
        }
        values.append(decoded)
        at += 1
    }
    override func take(_ value: Value) { if case .bytes(let b) = value { values.append(b) } else { values.appendEmpty() } }
    override func blank() { values.appendEmpty() }
    override var storage: Column.Storage { .binary(values) }
}

/// Decimals, written as base64 or as numbers; kept in 128 bits where all of them fit.
final class DecimalBuilder: ColumnBuilder {
    private var small: [Int128] = []
    /// All values, once one did not fit.
    private var large: VarBytes?
    private let scale: Int

    override init(_ schema: Schema, _ options: ConnectJSONOptions) {
        scale = schema.parameter("scale").flatMap { Int($0) } ?? 0
        super.init(schema, options)
    }

    override func take(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws {
        let token = tape.tokens[at], text = bytes[Int(token.start)..<Int(token.end)]
        let decoded: [UInt8]? =
            switch token.kind {
            case .string: Base64.decode(text)
            case .integer, .decimal: DecimalText.unscaled(text, scale: scale)
            default: nil
            }
        guard let decoded else { throw mismatch(token.kind) }
        append(decoded)
        at += 1
    }
    private func append(_ unscaled: [UInt8]) {
        if large == nil, let value = Int128(bigEndianTwosComplement: unscaled), value.bigEndianTwosComplement == unscaled {
            return small.append(value)
        }
        if large == nil {
            var all = VarBytes()
            for value in small { all.append(value.bigEndianTwosComplement) }
            large = all
        }
        large?.append(unscaled)
    }
    override func take(_ value: Value) { if case .bytes(let b) = value { append(b) } else { blank() } }
    override func blank() { append([0]) }
    override var storage: Column.Storage { large.map { .binary($0) } ?? .decimal128(small) }
}

final class ListBuilder: ColumnBuilder {
    private var offsets: [Int32] = [0]
    private let element: ColumnBuilder

    override init(_ schema: Schema, _ options: ConnectJSONOptions) {
        element = ColumnBuilder.make(schema.element ?? Schema(.string, optional: true), options)
        super.init(schema, options)
    }

    override func take(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws {
        let token = tape.tokens[at]
        guard token.kind == .array else { throw mismatch(token.kind) }
        at += 1
        while at < Int(token.next) { try element.append(tape, bytes, &at) }
        blank()
    }
    override func take(_ value: Value) throws {
        if case .array(let items) = value { for item in items { try element.appendDefault(item) } }
        blank()
    }
    override func blank() { offsets.append(Int32(element.count)) }
    override var storage: Column.Storage { .list(offsets: offsets, element.finish()) }
}

final class MapBuilder: ColumnBuilder {
    private var offsets: [Int32] = [0]
    private let keys: ColumnBuilder, values: ColumnBuilder

    override init(_ schema: Schema, _ options: ConnectJSONOptions) {
        keys = ColumnBuilder.make(schema.key ?? Schema(.string), options)
        values = ColumnBuilder.make(schema.element ?? Schema(.string, optional: true), options)
        super.init(schema, options)
    }

    override func take(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws {
        let token = tape.tokens[at]
        let isObject = schema.key?.type == .string
        guard token.kind == (isObject ? .object : .array) else { throw mismatch(token.kind) }
        at += 1
        while at < Int(token.next) {
            if !isObject {
                guard tape.tokens[at].kind == .array, at + 2 < Int(tape.tokens[at].next),
                    tape.tokens[Int(tape.tokens[at + 1].next)].next == tape.tokens[at].next
                else { throw mismatch(tape.tokens[at].kind) }
                at += 1
            }
            try keys.append(tape, bytes, &at)
            try values.append(tape, bytes, &at)
        }
        blank()
    }
    override func take(_ value: Value) throws {
        if case .map(let entries) = value {
            for entry in entries {
                try keys.appendDefault(entry.key)
                try values.appendDefault(entry.value)
            }
        }
        blank()
    }
    override func blank() { offsets.append(Int32(keys.count)) }
    override var storage: Column.Storage { .map(offsets: offsets, keys: keys.finish(), values: values.finish()) }
}

final class StructBuilder: ColumnBuilder {
    private let members: [ColumnBuilder]
    /// The names one after the other; name `i` ends at `nameEnds[i]`.
    private let names: [UInt8]
    private let nameEnds: [Int]

    override init(_ schema: Schema, _ options: ConnectJSONOptions) {
        members = schema.fields.map { ColumnBuilder.make($0.schema, options) }
        var names: [UInt8] = [], ends: [Int] = []
        for field in schema.fields {
            names += Array(field.name.utf8)
            ends.append(names.count)
        }
        self.names = names
        nameEnds = ends
        super.init(schema, options)
    }

    override func take(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws {
        let token = tape.tokens[at]
        guard token.kind == .object else { throw mismatch(token.kind) }
        at += 1
        let before = count
        // Members nearly always come in the schema's order.
        var expected = 0
        while at < Int(token.next) {
            let index = index(of: tape.tokens[at], bytes, expected)
            at += 1
            if let index {
                // Of two equal names the first counts; the other is skipped.
                if members[index].count == before { try append(index, tape, bytes, &at) } else { at = Int(tape.tokens[at].next) }
                expected = index + 1
            } else {
                at = Int(tape.tokens[at].next)
            }
        }
        for i in members.indices where members[i].count == before {
            let member = members[i]
            do { try member.appendNull() } catch let error as ConnectorError { throw located(error, i) }
        }
    }

    private func append(_ index: Int, _ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws {
        do { try members[index].append(tape, bytes, &at) } catch let error as ConnectorError { throw located(error, index) }
    }

    /// Says which member, from the inside out.
    private func located(_ error: ConnectorError, _ index: Int) -> ConnectorError {
        let path = [schema.fields[index].name] + (error.hint.map { [String($0.dropFirst("Field ".count))] } ?? [])
        return ConnectorError(error.code, error.disposition, error.message, hint: "Field \(path.joined(separator: "."))")
    }

    private func index(of token: JSONTape.Token, _ bytes: UnsafeRawBufferPointer, _ expected: Int) -> Int? {
        if token.kind == .string, expected < nameEnds.count {
            let start = expected == 0 ? 0 : nameEnds[expected - 1], count = nameEnds[expected] - start
            if count == Int(token.end - token.start), (0..<count).allSatisfy({ names[start + $0] == bytes[Int(token.start) + $0] }) {
                return expected
            }
        }
        return schema.index(of: JSONText.string(token, bytes))
    }

    override func take(_ value: Value) throws {
        guard case .struct(let values) = value else { return blank() }
        for (i, member) in members.enumerated() { try member.appendDefault(i < values.count ? values[i] : .null) }
    }
    override func blank() { for member in members { member.appendHidden() } }
    override var storage: Column.Storage { .struct(members.map { $0.finish() }) }
}

extension ColumnBuilder {
    /// A value inside a default.
    fileprivate func appendDefault(_ value: Value) throws {
        if value.isNull { return try appendNull() }
        try appendPresent(value)
    }
}
