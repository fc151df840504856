/// How values of a leaf are stored. Source: parquet-format, `parquet.thrift`, enum Type.
enum PhysicalType: Int, Sendable {
    case boolean = 0, int32 = 1, int64 = 2, float = 4, double = 5, byteArray = 6, fixedBytes = 7
}

enum Repetition: Int, Sendable { case required = 0, optional = 1, repeated = 2 }

/// What values mean, written both as LogicalType and, where one exists, as the older ConvertedType.
enum LogicalType: Sendable, Hashable {
    case none
    case string, json, uuid
    case date
    case time(TimeUnit)
    case timestamp(TimeUnit, utc: Bool)
    case integer(bits: Int8)
    case decimal(precision: Int, scale: Int)
    case list, map

    enum TimeUnit: Sendable, Hashable { case millis, micros, nanos }

    /// Minimum and maximum are told as for unsigned bytes, as signed numbers, or by the format's rule for decimals.
    var converted: Int? {
        switch self {
        case .none, .uuid: nil
        case .string: 0
        case .map: 1
        case .list: 3
        case .decimal: 5
        case .date: 6
        case .time(.millis): 7
        case .time(.micros): 8
        case .timestamp(.millis, utc: true): 9
        case .timestamp(.micros, utc: true): 10
        case .integer(bits: 8): 15
        case .integer(bits: 16): 16
        case .json: 19
        case .time, .timestamp, .integer: nil
        }
    }

    /// Writes the LogicalType union as field `id`.
    func write(_ id: Int16, to thrift: inout ThriftWriter) {
        func unit(_ unit: TimeUnit, _ utc: Bool, _ out: inout ThriftWriter) {
            out.bool(1, utc)
            out.structure(2) { $0.emptyStructure(unit == .millis ? 1 : unit == .micros ? 2 : 3) }
        }
        switch self {
        case .none: return
        case .string: thrift.structure(id) { $0.emptyStructure(1) }
        case .map: thrift.structure(id) { $0.emptyStructure(2) }
        case .list: thrift.structure(id) { $0.emptyStructure(3) }
        case .decimal(let precision, let scale):
            thrift.structure(id) {
                $0.structure(5) {
                    $0.i32(1, scale)
                    $0.i32(2, precision)
                }
            }
        case .date: thrift.structure(id) { $0.emptyStructure(6) }
        // A time of day has no zone. The converted type is written too, as pyarrow does, so that old readers see a time.
        case .time(let u): thrift.structure(id) { $0.structure(7) { unit(u, false, &$0) } }
        case .timestamp(let u, let utc): thrift.structure(id) { $0.structure(8) { unit(u, utc, &$0) } }
        case .integer(let bits):
            thrift.structure(id) {
                $0.structure(10) {
                    $0.i8(1, bits)
                    $0.bool(2, true)
                }
            }
        case .json: thrift.structure(id) { $0.emptyStructure(12) }
        case .uuid: thrift.structure(id) { $0.emptyStructure(14) }
        }
    }
}

/// A leaf of the file's schema: one column of values with their levels.
struct Leaf: Sendable {
    var path: [String]
    var physical: PhysicalType
    /// Bytes a value of `fixedBytes`.
    var length = 0
    var logical: LogicalType
    var maxDefinition = 0
    var maxRepetition = 0

    /// How two values compare for minima and maxima.
    enum Order: Sendable { case signed, floating, unsignedBytes, signedBytes }

    var order: Order {
        switch physical {
        case .boolean, .int32, .int64: .signed
        case .float, .double: .floating
        case .byteArray: .unsignedBytes
        case .fixedBytes: if case .decimal = logical { .signedBytes } else { .unsignedBytes }
        }
    }
}

/// A node of the file's schema in depth-first order, as the footer lists them. Source: `parquet.thrift`, SchemaElement.
struct SchemaElement: Sendable {
    var name: String
    var repetition: Repetition?
    var physical: PhysicalType?
    var length = 0
    var logical: LogicalType = .none
    var childCount = 0

    func write(to thrift: inout ThriftWriter) {
        if let physical { thrift.i32(1, physical.rawValue) }
        if physical == .fixedBytes { thrift.i32(2, length) }
        if let repetition { thrift.i32(3, repetition.rawValue) }
        thrift.string(4, name)
        if physical == nil { thrift.i32(5, childCount) }
        if let converted = logical.converted { thrift.i32(6, converted) }
        if case .decimal(let precision, let scale) = logical {
            thrift.i32(7, scale)
            thrift.i32(8, precision)
        }
        logical.write(10, to: &thrift)
    }
}
