import ConnectAPI

/// What the texts of a column mean.
package enum CSVColumnType: Sendable, Hashable, CustomStringConvertible {
    case boolean, int8, int16, int32, int64, float32, float64, string
    case decimal(precision: Int?, scale: Int)
    /// Days; nil: ISO 8601.
    case date(DateTimePattern?)
    /// Milliseconds since 1970 in UTC, or microseconds; nil: ISO 8601.
    case timestamp(DateTimePattern?, micros: Bool)

    /// Reads `long`, `decimal(18,2)`, `timestamp(dd.MM.yyyy HH:mm)`; SQL's and Connect's names are accepted.
    package init(_ text: String) throws(CSVTypeError) {
        let open = text.firstIndex(of: "(")
        let word = (open.map { text[..<$0] } ?? text[...]).trimmingSpaces().lowercased()
        var argument: String?
        if let open {
            guard text.last == ")" else { throw CSVTypeError("Type '\(text)' has no closing parenthesis") }
            argument = text[text.index(after: open)..<text.index(before: text.endIndex)].trimmingSpaces()
        }
        func plain(_ type: CSVColumnType) throws(CSVTypeError) -> CSVColumnType {
            guard argument == nil else { throw CSVTypeError("Type \(word) takes nothing in parentheses") }
            return type
        }
        func pattern() throws(CSVTypeError) -> DateTimePattern? {
            guard let argument else { return nil }
            return try DateTimePattern(argument)
        }
        switch word {
        case "boolean", "bool": self = try plain(.boolean)
        case "byte", "tinyint", "int8": self = try plain(.int8)
        case "short", "smallint", "int16": self = try plain(.int16)
        case "int", "integer", "int32": self = try plain(.int32)
        case "long", "bigint", "int64": self = try plain(.int64)
        case "float", "real", "float32": self = try plain(.float32)
        case "double", "float64": self = try plain(.float64)
        case "string", "text", "varchar": self = .string
        case "decimal", "numeric": self = try Self.decimal(argument)
        case "date": self = .date(try pattern())
        case "timestamp", "datetime": self = .timestamp(try pattern(), micros: false)
        case "timestamp_us", "timestamp_micros": self = .timestamp(try pattern(), micros: true)
        default:
            throw CSVTypeError(
                "'\(word)' is no type; types are boolean, byte, short, int, long, float, double, decimal(p,s), date, timestamp, timestamp_us, string")
        }
    }

    private static func decimal(_ argument: String?) throws(CSVTypeError) -> CSVColumnType {
        let numbers = (argument ?? "").split(separator: ",").map { Int($0.trimmingSpaces()) }
        guard let precision = numbers.first.flatMap({ $0 }), numbers.count <= 2, let scale = numbers.count == 2 ? numbers[1] : 0,
            (1...38).contains(precision), (0...precision).contains(scale)
        else { throw CSVTypeError("decimal needs a precision of 1 to 38 and a scale up to it, as in decimal(18,2)") }
        return .decimal(precision: precision, scale: scale)
    }

    package var description: String {
        func with(_ name: String, _ pattern: DateTimePattern?) -> String { pattern.map { "\(name)(\($0.text))" } ?? name }
        return switch self {
        case .boolean: "boolean"
        case .int8: "byte"
        case .int16: "short"
        case .int32: "int"
        case .int64: "long"
        case .float32: "float"
        case .float64: "double"
        case .string: "string"
        case .decimal(let precision, let scale): "decimal(\(precision ?? 38),\(scale))"
        case .date(let pattern): with("date", pattern)
        case .timestamp(let pattern, let micros): with(micros ? "timestamp_us" : "timestamp", pattern)
        }
    }

    func schema(optional: Bool) -> Schema {
        switch self {
        case .boolean: Schema(.boolean, optional: optional)
        case .int8: Schema(.int8, optional: optional)
        case .int16: Schema(.int16, optional: optional)
        case .int32: Schema(.int32, optional: optional)
        case .int64: Schema(.int64, optional: optional)
        case .float32: Schema(.float32, optional: optional)
        case .float64: Schema(.float64, optional: optional)
        case .string: Schema(.string, optional: optional)
        case .decimal(let precision, let scale):
            Schema(
                .bytes, optional: optional, name: LogicalName.decimal, version: 1,
                parameters: [.init("scale", String(scale))] + (precision.map { [.init("connect.decimal.precision", String($0))] } ?? []))
        case .date: Schema(.int32, optional: optional, name: LogicalName.connectDate, version: 1)
        case .timestamp(_, false): Schema(.int64, optional: optional, name: LogicalName.connectTimestamp, version: 1)
        case .timestamp(_, true): Schema(.int64, optional: optional, name: LogicalName.microTimestamp, version: 1)
        }
    }
}
