import ConnectAPI
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Collects JSON values that bring no schema, row by row, straight into a column of the schema they turn out to have.
///
/// Numbers without a fraction are INT64, others FLOAT64, and both together FLOAT64; objects are structs with the members of all rows, in the
/// order they were first seen, where a row that lacks a member says so; everything is optional. A member that is null everywhere is an
/// optional STRING. Where rows disagree (a number here, a string there) the member is JSON text: the pass that finds this out is lost, and the next
/// one over the same rows, after `begin`, knows.
final class SchemalessBuilder {
    private enum Kind { case unknown, boolean, integer, number, string, text, array, object }

    /// What a pass found that makes another necessary.
    struct Pass {
        /// Values of one member were of different kinds.
        var hasConflict = false
        /// An object had a member twice: the last counts, which a column cannot take back.
        var hasDuplicate = false
    }

    private var kind = Kind.unknown
    private var count = 0
    /// nil: no row is null so far.
    private var valid: Bitmap?
    /// Rows whose object has no such member; nil: none so far.
    private var absent: Bitmap?
    private var booleans: [UInt8] = []
    private var integers: [Int64] = []
    /// Rows that say -0, which is a zero of its own among numbers with fractions.
    private var negativeZeros: [Int] = []
    private var numbers: [Double] = []
    private var texts = VarBytes()
    private var offsets: [Int32] = [0]
    private var element: SchemalessBuilder?
    private var names: [[UInt8]] = []
    private var members: [SchemalessBuilder] = []
    private var places: [[UInt8]: Int] = [:]
    private var isText = false

    /// Drops the rows, and keeps what was found out.
    func begin() {
        kind = isText ? .text : .unknown
        (count, valid, absent) = (0, nil, nil)
        booleans.removeAll()
        integers.removeAll()
        negativeZeros.removeAll()
        numbers.removeAll()
        texts = VarBytes()
        offsets = [0]
        if isText { (element, names, members, places) = (nil, [], [], [:]) }
        element?.begin()
        for member in members { member.begin() }
    }

    /// Takes the value at token `at`, which moves past it.
    func append(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ at: inout Int, _ pass: inout Pass) {
        let token = tape.tokens[at]
        // What nearly all values are: of the kind of those before.
        switch (kind, token.kind) {
        case (.integer, .integer):
            guard let value = token.integer(bytes), value != 0 else { break }
            integers.append(value)
            return taken(&at)
        case (.number, .decimal):
            numbers.append(Self.double(bytes, Int(token.start)..<Int(token.end)))
            return taken(&at)
        case (.string, .string):
            texts.append(UnsafeRawBufferPointer(rebasing: bytes[Int(token.start)..<Int(token.end)]))
            return taken(&at)
        case (_, .null):
            at += 1
            return appendNull()
        default: break
        }
        let found = kind(of: token, bytes)
        switch (kind, found) {
        case (.unknown, _): become(found)
        case (.text, _), (.number, .integer): break
        case (.integer, .number): widen()
        case let (own, other) where own == other: break
        default:
            pass.hasConflict = true
            isText = true
            at = Int(token.next)
            return appendNull()
        }
        valid?.append(true)
        absent?.append(false)
        take(tape, bytes, token, &at, &pass)
        count += 1
    }

    @inline(__always) private func taken(_ at: inout Int) {
        valid?.append(true)
        absent?.append(false)
        at += 1
        count += 1
    }

    private func kind(of token: JSONTape.Token, _ bytes: UnsafeRawBufferPointer) -> Kind {
        switch token.kind {
        case .null: .unknown
        case .true, .false: .boolean
        case .integer: token.integer(bytes) == nil ? .number : .integer
        case .decimal: .number
        case .string, .escapedString: .string
        case .array: .array
        case .object: .object
        }
    }

    private func take(
        _ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ token: JSONTape.Token, _ at: inout Int, _ pass: inout Pass
    ) {
        switch kind {
        case .unknown: break
        case .boolean: booleans.append(token.kind == .true ? 1 : 0)
        case .integer:
            let value = token.integer(bytes) ?? 0
            if value == 0, bytes[Int(token.start)] == UInt8(ascii: "-") { negativeZeros.append(count) }
            integers.append(value)
        case .number: numbers.append(Self.double(bytes, Int(token.start)..<Int(token.end)))
        case .string:
            let raw = UnsafeRawBufferPointer(rebasing: bytes[Int(token.start)..<Int(token.end)])
            if token.kind == .string {
                texts.append(raw)
            } else {
                JSONText.appendUnescaped(raw, to: &texts.bytes)
                texts.appendEmpty()
            }
        case .text:
            var next = at
            texts.append(JSONValue(tape, bytes, &next).compactBytes)
        case .array:
            at += 1
            let element = self.element ?? SchemalessBuilder()
            self.element = element
            while at < Int(token.next) { element.append(tape, bytes, &at, &pass) }
            offsets.append(Int32(element.count))
        case .object:
            at += 1
            object(tape, bytes, end: Int(token.next), &at, &pass)
        }
        at = Int(token.next)
    }

    private func object(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, end: Int, _ at: inout Int, _ pass: inout Pass) {
        // Members nearly always come in the same order.
        var expected = 0, found = 0
        while at < end {
            let place = place(of: tape.tokens[at], bytes, expected)
            at += 1
            if members[place].count > count {
                pass.hasDuplicate = true
                at = Int(tape.tokens[at].next)
            } else {
                members[place].append(tape, bytes, &at, &pass)
                found += 1
            }
            expected = place + 1
        }
        if found == members.count { return }
        for member in members where member.count == count { member.appendNull(isAbsent: true) }
    }

    private func place(of name: JSONTape.Token, _ bytes: UnsafeRawBufferPointer, _ expected: Int) -> Int {
        let raw = UnsafeRawBufferPointer(rebasing: bytes[Int(name.start)..<Int(name.end)])
        // What is skipped is absent, so the next few are looked at, too.
        if name.kind == .string {
            for place in expected..<min(expected + 4, names.count) where Self.equal(raw, names[place]) { return place }
        }
        var key: [UInt8] = []
        if name.kind == .string { key += raw } else { JSONText.appendUnescaped(raw, to: &key) }
        if let known = places[key] { return known }
        let member = SchemalessBuilder()
        member.begin(behind: self)
        names.append(key)
        members.append(member)
        places[key] = members.count - 1
        return members.count - 1
    }

    /// A member first seen now: the objects so far lack it.
    private func begin(behind parent: SchemalessBuilder) {
        count = parent.count
        guard count > 0 else { return }
        valid = Bitmap(repeating: false, count: count)
        // The row of the parent that is being read is the next one.
        let objects = parent.valid.map { $0.slice(0..<count) } ?? Bitmap(repeating: true, count: count)
        absent = objects.noneSet ? nil : objects
    }

    func appendNull(isAbsent: Bool = false) {
        if valid == nil { valid = Bitmap(repeating: true, count: count) }
        valid!.append(false)
        if isAbsent, absent == nil { absent = Bitmap(repeating: false, count: count) }
        absent?.append(isAbsent)
        blank()
        count += 1
    }

    private func blank() {
        switch kind {
        case .unknown: break
        case .boolean: booleans.append(0)
        case .integer: integers.append(0)
        case .number: numbers.append(0)
        case .string, .text: texts.appendEmpty()
        case .array: offsets.append(offsets[offsets.count - 1])
        case .object: for member in members { member.appendNull() }
        }
    }

    /// The first value that is not null, after `count` that are.
    private func become(_ kind: Kind) {
        self.kind = kind
        switch kind {
        case .unknown: break
        case .boolean: booleans = Array(repeating: 0, count: count)
        case .integer: integers = Array(repeating: 0, count: count)
        case .number: numbers = Array(repeating: 0, count: count)
        case .string, .text: texts = VarBytes(offsets: Array(repeating: 0, count: count + 1))
        case .array: offsets = Array(repeating: 0, count: count + 1)
        case .object: for member in members { for _ in 0..<count { member.appendNull() } }
        }
    }

    private func widen() {
        kind = .number
        numbers = integers.map { Double($0) }
        for row in negativeZeros { numbers[row] = -0.0 }
        integers = []
    }

    private static func equal(_ raw: UnsafeRawBufferPointer, _ name: [UInt8]) -> Bool {
        guard raw.count == name.count, let base = raw.baseAddress else { return raw.count == name.count }
        return name.withUnsafeBytes { memcmp(base, $0.baseAddress!, raw.count) } == 0
    }

    /// Powers of ten that a double holds exactly.
    private static let tens: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]

    /// As `strtod` reads it. A few digits without an exponent are one exact number divided by another, which is rounded once.
    private static func double(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Double {
        var mantissa: UInt64 = 0, fraction = 0, i = range.lowerBound, isSimple = range.count <= 17, isFraction = false
        let isNegative = bytes[i] == UInt8(ascii: "-")
        if isNegative { i += 1 }
        while isSimple, i < range.upperBound {
            switch bytes[i] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                mantissa = mantissa * 10 + UInt64(bytes[i] - UInt8(ascii: "0"))
                if isFraction { fraction += 1 }
            case UInt8(ascii: "."): isFraction = true
            default: isSimple = false
            }
            i += 1
        }
        if isSimple, mantissa < 1 << 53 {
            let value = Double(mantissa) / tens[fraction]
            return isNegative ? -value : value
        }
        let text = bytes[range]
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: text.count + 1) { buffer in
            for (i, byte) in text.enumerated() { buffer[i] = CChar(bitPattern: byte) }
            buffer[text.count] = 0
            return strtod(buffer.baseAddress!, nil)
        }
    }

    private var schema: Schema {
        switch kind {
        case .unknown, .string: Schema(.string, optional: true)
        case .text: Schema(.string, optional: true, name: LogicalName.schemalessValue)
        case .boolean: Schema(.boolean, optional: true)
        case .integer: Schema(.int64, optional: true)
        case .number: Schema(.float64, optional: true)
        case .array, .object: preconditionFailure("made of its parts")
        }
    }

    /// The rows of the last pass.
    func finish() -> Column {
        let storage: Column.Storage, schema: Schema
        switch kind {
        case .unknown: (schema, storage) = (self.schema, .utf8(VarBytes(offsets: Array(repeating: 0, count: count + 1))))
        case .boolean: (schema, storage) = (self.schema, .boolean(booleans))
        case .integer: (schema, storage) = (self.schema, .int64(integers))
        case .number: (schema, storage) = (self.schema, .float64(numbers))
        case .string, .text: (schema, storage) = (self.schema, .utf8(texts))
        case .array:
            let items = (element ?? SchemalessBuilder()).finish()
            (schema, storage) = (.array(items.schema, optional: true), .list(offsets: offsets, items))
        case .object:
            let columns = members.map { $0.finish() }
            let fields = zip(names, columns).map { Schema.Field(String(decoding: $0, as: UTF8.self), $1.schema) }
            (schema, storage) = (.struct(fields, optional: true, name: LogicalName.schemalessObject), .struct(columns))
        }
        return Column(schema, count: count, storage, validity: valid, unavailable: absent)
    }
}
