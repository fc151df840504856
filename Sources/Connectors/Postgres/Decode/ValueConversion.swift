/// How column values become records: the settings of spec'd Debezium properties that concern values, schemas and names.
///
/// Filled by the connector's configuration; the defaults here are Debezium's.
struct ValueConversion: Sendable, Hashable {
    enum DecimalMode: String, Sendable { case precise, double, string }
    enum TimePrecision: String, Sendable {
        case adaptive, connect, isostring, microseconds, nanoseconds
        case adaptiveTimeMicroseconds = "adaptive_time_microseconds"
    }
    enum HstoreMode: String, Sendable { case json, map }
    enum IntervalMode: String, Sendable { case numeric, string }
    enum BinaryMode: String, Sendable {
        case bytes, base64, hex
        case base64URLSafe = "base64-url-safe"
    }
    enum NameAdjustment: String, Sendable {
        case none, avro
        case avroUnicode = "avro_unicode"
    }

    /// `decimal.handling.mode`
    var decimal = DecimalMode.precise
    /// `time.precision.mode`
    var time = TimePrecision.adaptive
    /// `hstore.handling.mode`
    var hstore = HstoreMode.json
    /// `interval.handling.mode`
    var interval = IntervalMode.numeric
    /// `binary.handling.mode`
    var binary = BinaryMode.bytes
    /// `money.fraction.digits`
    var moneyFractionDigits = 2
    /// `include.unknown.datatypes`
    var includesUnknownTypes = false
    /// `unavailable.value.placeholder`, as written in the configuration.
    var unavailablePlaceholder = "__debezium_unavailable_value"
    /// `schema.name.adjustment.mode`
    var schemaNames = NameAdjustment.none
    /// `field.name.adjustment.mode`
    var fieldNames = NameAdjustment.none
    /// `tombstones.on.delete`
    var tombstonesOnDelete = true

    init() {}

    /// The placeholder's bytes; one that begins with `hex:` and goes on in digits is given as bytes.
    var placeholderBytes: [UInt8] {
        let text = Array(unavailablePlaceholder.utf8)
        guard unavailablePlaceholder.hasPrefix("hex:") else { return text }
        let digits = text.dropFirst(4).compactMap(Hex.digit)
        guard digits.count == text.count - 4, digits.count % 2 == 0 else { return text }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

extension ValueConversion.NameAdjustment {
    /// A full schema name, adjusted segment by segment between its dots.
    func schemaName(_ name: String) -> String {
        self == .none ? name : name.split(separator: ".", omittingEmptySubsequences: false).map { fieldName(String($0)) }.joined(separator: ".")
    }

    /// One name: `avro` writes an underscore for what Avro forbids and before a leading digit; `avro_unicode` writes `_uXXXX`, also for `_`.
    func fieldName(_ name: String) -> String {
        guard self != .none else { return name }
        var out = ""
        for (i, unit) in name.utf16.enumerated() {
            let isLetter = (0x41...0x5A).contains(unit) || (0x61...0x7A).contains(unit)
            let isDigit = (0x30...0x39).contains(unit)
            switch self {
            case .avro where isLetter || unit == 0x5F || (isDigit && i > 0): out.unicodeScalars.append(Unicode.Scalar(unit)!)
            case .avro where isDigit: out += "_" + String(Unicode.Scalar(unit)!)
            case .avroUnicode where isLetter || (isDigit && i > 0): out.unicodeScalars.append(Unicode.Scalar(unit)!)
            case .avroUnicode:
                let hex = String(unit, radix: 16)
                out += "_u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: out += "_"
            }
        }
        return out
    }
}
