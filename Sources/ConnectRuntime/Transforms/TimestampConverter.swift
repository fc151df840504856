import ConnectAPI

/// `TimestampConverter`: a time in another form: text, Unix number, or Connect's Date, Time and Timestamp.
struct TimestampConverter<Side: RecordSide>: Transform {
    static var className: String { Side.className("TimestampConverter") }

    struct Configuration: ConnectConfiguration {
        @Field("field", default: "", importance: .high, doc: "The member; empty: the whole value") var field: String
        @Field(
            "target.type", importance: .high, doc: "string, unix, Date, Time or Timestamp",
            check: .oneOf(["string", "unix", "Date", "Time", "Timestamp"]))
        var target: String
        @Field("format", default: "", doc: "A pattern of java.text.SimpleDateFormat, for text") var format: String
        @Field(
            "unix.precision", default: "milliseconds", importance: .low, doc: "The unit of Unix numbers",
            check: .oneOf(["nanoseconds", "microseconds", "milliseconds", "seconds"]))
        var precision: String
        @Field("replace.null.with.default", default: "true", doc: "Put the default of a member instead of its null") var replacesNulls: Bool
        init() {}
    }

    private let field: String, target: String, precision: String
    private let format: JavaDateFormat?
    private let replacesNulls: Bool

    init(_ configuration: Configuration) throws {
        field = configuration.field
        target = configuration.target
        precision = configuration.precision
        format = configuration.format.trimmingSpaces().isEmpty ? nil : try JavaDateFormat(configuration.format)
        replacesNulls = configuration.replacesNulls
        if target == "string", format == nil {
            throw TransformError.config("TimestampConverter requires format option to be specified when using string timestamps")
        }
    }

    func apply(_ batch: TransformedBatch) throws -> [TransformedBatch] {
        if field.isEmpty {
            guard let column = Side.column(batch.batch) else { return [batch] }
            var out = batch
            Side.set(try convert(column), in: &out.batch)
            return [out]
        }
        return try Side.structure(batch, purpose: "convert timestamp formats", replacingNulls: replacesNulls) { members, part in
            if let i = members.index(of: field) { members.columns[i] = try convert(members.columns[i]) }
        }
    }

    private func convert(_ column: Column) throws -> Column {
        let millis = try self.millis(column)
        let optional = column.schema.isOptional
        func numbers(_ convert: (Int64) throws -> Int64) rethrows -> [Int64] {
            try millis.enumerated().map { column.isNull($0) ? 0 : try convert($1) }
        }
        let schema: Schema, storage: Column.Storage
        switch target {
        case "string":
            schema = Schema(.string, optional: optional)
            var out = VarBytes()
            for (row, value) in millis.enumerated() {
                if let format, !column.isNull(row) { format.append(value, to: &out.bytes) }
                out.appendEmpty()
            }
            storage = .utf8(out)
        case "unix":
            schema = Schema(.int64, optional: optional)
            storage = .int64(try numbers { try unix($0) })
        case "Date":
            schema = Schema(.int32, optional: optional, name: LogicalName.connectDate, version: 1)
            storage = .int32(try numbers { $0.flooredDivision(by: 86_400_000).quotient }.map { try narrow($0) })
        case "Time":
            schema = Schema(.int32, optional: optional, name: LogicalName.connectTime, version: 1)
            storage = .int32(try numbers { $0.flooredDivision(by: 86_400_000).remainder }.map { try narrow($0) })
        default:
            schema = Schema(.int64, optional: optional, name: LogicalName.connectTimestamp, version: 1)
            storage = .int64(numbers { $0 })
        }
        return Column(schema, count: column.count, storage, validity: column.validRows)
    }

    private func narrow(_ value: Int64) throws -> Int32 {
        guard let value = Int32(exactly: value) else {
            throw ConnectorError("transform.out_of_range", .reject, "A time is too far away for target.type \(target)")
        }
        return value
    }

    private func unix(_ millis: Int64) throws -> Int64 {
        let factor: Int64 =
            switch precision {
            case "nanoseconds": 1_000_000
            case "microseconds": 1000
            default: 1
            }
        // Java's TimeUnit divides towards zero.
        if precision == "seconds" { return millis / 1000 }
        let (value, overflow) = millis.multipliedReportingOverflow(by: factor)
        if overflow { throw ConnectorError("transform.out_of_range", .reject, "A time is too far away for unix.precision \(precision)") }
        return value
    }

    /// Milliseconds since 1970, whatever the form; anything for nulls.
    private func millis(_ column: Column) throws -> [Int64] {
        let schema = column.schema
        switch (schema.name, schema.type) {
        case (LogicalName.connectTimestamp, .int64), (LogicalName.connectTime, .int32): return integers(column)
        case (LogicalName.connectDate, .int32): return integers(column).map { $0 * 86_400_000 }
        case (_, .int64):
            switch precision {
            case "nanoseconds": return integers(column).map { $0 / 1_000_000 }
            case "microseconds": return integers(column).map { $0 / 1000 }
            case "seconds": return integers(column).map { $0.multipliedReportingOverflow(by: 1000).partialValue }
            default: return integers(column)
            }
        case (_, .string):
            guard let format else {
                throw ConnectorError(
                    "config.invalid", .stop, "TimestampConverter requires format option to be specified when using string timestamps")
            }
            return try (0..<column.count).map { row in
                guard let text = column[row].stringValue else { return 0 }
                guard let millis = format.parse(text) else {
                    throw ConnectorError(
                        "transform.unparseable_time", .reject,
                        "Could not parse timestamp: row \(row) of the batch is not of the pattern given by format")
                }
                return millis
            }
        default:
            throw ConnectorError(
                "transform.not_a_time", .stop, "Schema \(schema.type.rawValue) does not correspond to a known timestamp type format")
        }
    }

    private func integers(_ column: Column) -> [Int64] {
        switch column.storage {
        case .int64(let values): values
        case .int32(let values): values.map(Int64.init)
        case .constant(let value): Array(repeating: value.integerValue ?? 0, count: column.count)
        default: (0..<column.count).map { column[$0].integerValue ?? 0 }
        }
    }
}
