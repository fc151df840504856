import ConnectAPI
import JSON

/// Draws the values of one field, a column at a time. The value of an iteration depends on the seed, the field and the iteration only: a restart
/// goes on with the very records that would have come.
struct FieldGenerator: Sendable {
    indirect enum Kind: Sendable {
        case counter(start: Int64, step: Int64, restart: Int64?)
        case integer(ClosedRange<Int64>)
        case number(low: Double, high: Double, scale: Int?)
        case boolean(odds: Double)
        case options([Value])
        case pattern(TextPattern)
        case text(length: ClosedRange<Int64>, isBytes: Bool)
        case record([(name: String, generator: FieldGenerator)], name: String?)
        case array(FieldGenerator, length: ClosedRange<Int64>)
        case optional(FieldGenerator, odds: Double)
    }
    let kind: Kind
    let schema: Schema
    /// Tells the draws of one field from those of another.
    private let salt: UInt64

    init(_ json: JSONValue, _ place: String, _ count: inout UInt64) throws(TemplateError) {
        // {"type": {"type": …}} and {"type": […]} say no more than what they hold.
        if let inner = json["type"], inner.stringValue == nil {
            let inner = try FieldGenerator(inner, place, &count)
            (kind, schema, salt) = (inner.kind, inner.schema, inner.salt)
            return
        }
        count += 1
        salt = count &* 0xD134_2543_DE82_EF95
        if case .array(let union) = json {
            let others = union.filter { $0.stringValue != "null" && $0["type"]?.stringValue != "null" }
            guard others.count == 1, union.count == 2 else { throw TemplateError("\(place): a union must be null and one other type") }
            let member = try FieldGenerator(others[0], place, &count)
            kind = .optional(member, odds: 0.5)
            schema = member.schema.with(optional: true)
            return
        }
        let type = json.stringValue ?? json["type"]?.stringValue ?? "", properties = json["arg.properties"] ?? .object([])
        switch type {
        case "record":
            guard let members = json["fields"]?.arrayValue, !members.isEmpty else { throw TemplateError("\(place): a record needs fields") }
            var fields: [(name: String, generator: FieldGenerator)] = []
            for member in members {
                guard let name = member["name"]?.stringValue, let type = member["type"] else {
                    throw TemplateError("\(place): a field needs a name and a type")
                }
                fields.append((name, try FieldGenerator(type, name, &count)))
            }
            let name = json["name"]?.stringValue, space = json["namespace"]?.stringValue
            let full = name.map { name in space.map { "\($0).\(name)" } ?? name }
            kind = .record(fields, name: full)
            schema = .struct(fields.map { Schema.Field($0.name, $0.generator.schema) }, name: full)
        case "array":
            let element = try FieldGenerator(json["items"] ?? .null, place, &count)
            kind = .array(element, length: try Self.range(properties["length"], 1...5, place))
            schema = .array(element.schema)
        default:
            schema = try Self.schema(type, json, place)
            kind = try Self.kind(schema, json, properties, place)
        }
    }

    private static func schema(_ type: String, _ json: JSONValue, _ place: String) throws(TemplateError) -> Schema {
        switch (type, json["logicalType"]?.stringValue) {
        case ("int", "date"): Schema(.int32, name: LogicalName.connectDate, version: 1)
        case ("long", "timestamp-millis"): Schema(.int64, name: LogicalName.connectTimestamp, version: 1)
        case ("int", _): Schema(.int32)
        case ("long", _): Schema(.int64)
        case ("float", _): Schema(.float32)
        case ("double", _): Schema(.float64)
        case ("boolean", _): Schema(.boolean)
        case ("string", _), ("enum", _): Schema(.string)
        case ("bytes", _): Schema(.bytes)
        default:
            throw TemplateError("\(place): type '\(type)' is not known; types are int, long, float, double, boolean, string, bytes, enum, array and record")
        }
    }

    private static func kind(_ schema: Schema, _ json: JSONValue, _ properties: JSONValue, _ place: String) throws(TemplateError) -> Kind {
        if let symbols = json["symbols"]?.arrayValue ?? properties["options"]?.arrayValue {
            let options = symbols.compactMap { value($0, schema) }
            guard options.count == symbols.count, !options.isEmpty else { throw TemplateError("\(place): an option is of another type than the field") }
            return .options(options)
        }
        if let iteration = properties["iteration"] {
            guard schema.type == .int32 || schema.type == .int64, let start = iteration["start"]?.integerValue else {
                throw TemplateError("\(place): iteration is for int and long and needs a start")
            }
            return .counter(start: start, step: iteration["step"]?.integerValue ?? 1, restart: iteration["restart"]?.integerValue)
        }
        switch schema.type {
        case .int32: return .integer(try range(properties["range"], Int64(Int32.min)...Int64(Int32.max), place))
        case .int64: return .integer(try range(properties["range"], .min ... .max, place))
        case .float32, .float64:
            let low = properties["range"]?["min"]?.doubleValue ?? 0, high = properties["range"]?["max"]?.doubleValue ?? 1
            guard low <= high else { throw TemplateError("\(place): range.min is above range.max") }
            return .number(low: low, high: high, scale: properties["scale"]?.integerValue.map { Int(clamping: $0) })
        case .boolean: return .boolean(odds: properties["odds"]?.doubleValue ?? 0.5)
        case .string:
            if let regex = properties["regex"]?.stringValue { return .pattern(try TextPattern(regex, place)) }
            return .text(length: try range(properties["length"], 8...16, place), isBytes: false)
        default: return .text(length: try range(properties["length"], 8...16, place), isBytes: true)
        }
    }

    /// A number, or `{min, max}`; Avro's random generator excludes max.
    private static func range(_ json: JSONValue?, _ otherwise: ClosedRange<Int64>, _ place: String) throws(TemplateError) -> ClosedRange<Int64> {
        guard let json else { return otherwise }
        if let exact = json.integerValue { return exact...exact }
        let low = json["min"]?.integerValue ?? otherwise.lowerBound, high = json["max"]?.integerValue.map { $0 - 1 } ?? otherwise.upperBound
        guard low <= high else { throw TemplateError("\(place): min must be below max") }
        return low...high
    }

    private static func value(_ json: JSONValue, _ schema: Schema) -> Value? {
        switch schema.type {
        case .string: json.stringValue.map { .string($0) }
        case .int32, .int64: json.integerValue.map { .integer($0) }
        case .float64: json.doubleValue.map { .double($0) }
        case .float32: json.doubleValue.map { .float(Float($0)) }
        case .boolean: json.boolValue.map { .boolean($0) }
        default: nil
        }
    }

    // MARK: Drawing

    /// The values of these iterations.
    func column(_ iterations: Range<Int64>, seed: UInt64) -> Column {
        switch kind {
        case .record(let fields, _):
            return Column(schema, count: iterations.count, .struct(fields.map { $0.generator.column(iterations, seed: seed) }))
        case .optional(let member, let odds):
            let column = member.column(iterations, seed: seed)
            func isPresent(_ iteration: Int64) -> Bool {
                var random = draws(seed, iteration)
                return random.unit() < odds
            }
            return Column(
                schema, count: column.count, column.storage, validity: Bitmap(iterations.lazy.map(isPresent)))
        default: return Column(schema, iterations.map { value($0, seed) })
        }
    }

    private func draws(_ seed: UInt64, _ iteration: Int64) -> SplitMix {
        SplitMix(state: (seed ^ salt) &+ UInt64(bitPattern: iteration) &* 0x9E37_79B9_7F4A_7C15)
    }

    private func value(_ iteration: Int64, _ seed: UInt64) -> Value {
        var random = draws(seed, iteration)
        switch kind {
        case .counter(let start, let step, let restart):
            let span = restart.map { max(1, ($0 &- start) / (step == 0 ? 1 : step)) }
            return .integer(start &+ (span.map { iteration % $0 } ?? iteration) &* step)
        case .integer(let range): return .integer(random.integer(range))
        case .number(let low, let high, let scale):
            var number = low + (high - low) * random.unit()
            if let scale {
                let power = (0..<min(max(0, scale), 15)).reduce(1.0) { power, _ in power * 10 }
                number = (number * power).rounded() / power
            }
            return schema.type == .float32 ? .float(Float(number)) : .double(number)
        case .boolean(let odds): return .boolean(random.unit() < odds)
        case .options(let options): return options[Int(random.integer(0...Int64(options.count - 1)))]
        case .pattern(let pattern): return .string(pattern.text(&random))
        case .text(let length, let isBytes):
            let count = Int(random.integer(max(0, length.lowerBound)...max(0, length.upperBound)))
            if isBytes { return .bytes((0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }) }
            return .string(String((0..<count).map { _ in Character(UnicodeScalar(UInt8(random.integer(97...122)))) }))
        case .array(let element, let length):
            // The elements of an iteration have numbers of their own.
            let count = random.integer(max(0, length.lowerBound)...max(0, length.upperBound))
            return .array((0..<count).map { element.column(iteration &* 1_000_003 &+ $0..<iteration &* 1_000_003 &+ $0 + 1, seed: seed)[0] })
        case .record, .optional: return column(iteration..<iteration + 1, seed: seed)[0]
        }
    }
}

/// SplitMix64.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
    mutating func integer(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &self) }
}
