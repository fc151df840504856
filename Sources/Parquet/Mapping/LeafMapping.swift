import ConnectAPI

/// What a scalar schema is in the file, by its type and semantic name. Nil for schemas that become groups.
struct LeafMapping {
    var physical: PhysicalType
    var length = 0
    var logical: LogicalType
    var conversion: Conversion

    init?(_ schema: Schema, _ options: ParquetOptions) {
        switch schema.type {
        case .boolean: self.init(.boolean, .none)
        case .int8: self.init(.int32, .integer(bits: 8))
        case .int16: self.init(.int32, .integer(bits: 16))
        case .int32: self.init(int32: schema.name)
        case .int64: self.init(int64: schema.name, options)
        case .float32: self.init(.float, .none)
        case .float64: self.init(.double, .none)
        case .string: self.init(string: schema.name, options)
        case .bytes: if schema.name == LogicalName.decimal { self.init(decimal: schema, options) } else { self.init(.byteArray, .none) }
        case .struct:
            switch schema.name {
            case LogicalName.variableScaleDecimal where schema.index(of: "scale") != nil && schema.index(of: "value") != nil:
                if options.variableScaleDecimal == .double {
                    self.init(.double, .none, .variableScaleDouble)
                } else {
                    self.init(.byteArray, .string, .variableScaleText)
                }
            case LogicalName.geometry?, LogicalName.geography?, LogicalName.point?:
                guard options.geometry != .struct, schema.index(of: "wkb") != nil else { return nil }
                if options.geometry == .wkb { self.init(.byteArray, .none, .geometryBytes) } else { self.init(.byteArray, .string, .geometryText) }
            default: return nil
            }
        case .array, .map: return nil
        }
    }

    private init(_ physical: PhysicalType, _ logical: LogicalType, _ conversion: Conversion = .direct, length: Int = 0) {
        self.physical = physical
        self.logical = logical
        self.conversion = conversion
        self.length = length
    }

    private init(int32 name: String?) {
        switch name {
        case LogicalName.date, LogicalName.connectDate: self.init(.int32, .date)
        case LogicalName.time, LogicalName.connectTime: self.init(.int32, .time(.millis))
        default: self.init(.int32, .none)
        }
    }

    /// Debezium's timestamps have no zone; Connect's is an instant.
    private init(int64 name: String?, _ options: ParquetOptions) {
        let text = options.timestampEncoding == .string, asUTC = options.timestampLocalAsUTC
        switch name {
        case LogicalName.microTime: self.init(.int64, .time(.micros))
        case LogicalName.nanoTime: self.init(.int64, .time(.micros), .divided(by: 1000))
        case LogicalName.connectTimestamp:
            if text {
                self.init(.byteArray, .string, .timestampText(unitsPerSecond: 1000, utc: true))
            } else {
                self.init(.int64, .timestamp(.micros, utc: true), .multiplied(by: 1000))
            }
        case LogicalName.timestamp:
            if text {
                self.init(.byteArray, .string, .timestampText(unitsPerSecond: 1000, utc: asUTC))
            } else {
                self.init(.int64, .timestamp(.micros, utc: asUTC), .multiplied(by: 1000))
            }
        case LogicalName.microTimestamp:
            if text {
                self.init(.byteArray, .string, .timestampText(unitsPerSecond: 1_000_000, utc: asUTC))
            } else {
                self.init(.int64, .timestamp(.micros, utc: asUTC))
            }
        case LogicalName.nanoTimestamp:
            switch options.timestampEncoding {
            case .string: self.init(.byteArray, .string, .timestampText(unitsPerSecond: 1_000_000_000, utc: asUTC))
            case .nanos: self.init(.int64, .timestamp(.nanos, utc: asUTC))
            case .micros: self.init(.int64, .timestamp(.micros, utc: asUTC), .divided(by: 1000))
            }
        default: self.init(.int64, .none)
        }
    }

    private init(string name: String?, _ options: ParquetOptions) {
        switch name {
        case LogicalName.zonedTimestamp where options.parseZoned && options.timestampEncoding != .string:
            self.init(.int64, .timestamp(.micros, utc: true), .zonedMicros)
        case LogicalName.uuid where options.uuid == .fixed: self.init(.fixedBytes, .uuid, .uuidBytes, length: 16)
        case LogicalName.json where options.jsonAnnotation: self.init(.byteArray, .json, .text)
        default: self.init(.byteArray, .string, .text)
        }
    }

    /// DECIMAL(p, s), or text where p is beyond the 38 digits that every reader stops at. An unknown p counts as 38.
    private init(decimal schema: Schema, _ options: ParquetOptions) {
        let scale = schema.parameter("scale").flatMap { Int($0) } ?? 0
        let declared = schema.parameter("connect.decimal.precision").flatMap { Int($0) } ?? 38
        // A scale beyond the precision, which PostgreSQL allows, means leading zeros after the point.
        let precision = scale < 0 ? declared - scale : max(declared, scale, 1)
        let target: (DecimalTarget.Form) -> Conversion = { .decimal(DecimalTarget(form: $0, precision: precision, scale: scale)) }
        let logical = LogicalType.decimal(precision: precision, scale: max(scale, 0))
        if precision > 38 {
            self.init(.byteArray, .string, target(.text))
        } else if precision <= 9 && options.decimalEncoding == .compact {
            self.init(.int32, logical, target(.int32))
        } else if precision <= 18 && options.decimalEncoding == .compact {
            self.init(.int64, logical, target(.int64))
        } else {
            let length = Self.fixedLength(precision)
            self.init(.fixedBytes, logical, target(.fixed(length)), length: length)
        }
    }

    /// The least bytes whose two's complement holds every number of so many digits (at most 38).
    static func fixedLength(_ precision: Int) -> Int {
        var largest: Int128 = 0
        for _ in 0..<precision { largest = largest * 10 + 9 }
        return (128 - largest.leadingZeroBitCount) / 8 + 1
    }
}
