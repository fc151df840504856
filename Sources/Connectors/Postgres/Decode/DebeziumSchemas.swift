import ConnectAPI

/// The schemas that are the same for every table, as Debezium 3.3.1 declares them. One instance each, so that comparing is by reference.
enum DebeziumSchemas {
    static let string = Schema(.string)
    static let optionalString = Schema(.string, optional: true)
    static let int64 = Schema(.int64)
    static let optionalInt64 = Schema(.int64, optional: true)
    static let optionalBytes = Schema(.bytes, optional: true)

    static let snapshot = Schema(
        .string, optional: true, name: LogicalName.enum, version: 1,
        parameters: [.init("allowed", "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental")], default: "false")

    static let source = Schema.struct(
        [
            .init("version", string), .init("connector", string), .init("name", string), .init("ts_ms", int64), .init("snapshot", snapshot),
            .init("db", string), .init("sequence", optionalString), .init("ts_us", optionalInt64), .init("ts_ns", optionalInt64),
            .init("schema", string), .init("table", string), .init("txId", optionalInt64), .init("lsn", optionalInt64),
            .init("xmin", optionalInt64),
        ], name: "io.debezium.connector.postgresql.Source", version: 1)

    static let transactionBlock = Schema.struct(
        [.init("id", string), .init("total_order", int64), .init("data_collection_order", int64)],
        optional: true, name: "event.block", version: 1)

    static func envelope(topic: String, row: Schema) -> Schema {
        .struct(
            [
                .init("before", row), .init("after", row), .init("source", source), .init("transaction", transactionBlock), .init("op", string),
                .init("ts_ms", optionalInt64), .init("ts_us", optionalInt64), .init("ts_ns", optionalInt64),
            ], name: "\(topic).Envelope", version: 2)
    }

    static let variableScaleDecimal = Schema.struct(
        [.init("scale", Schema(.int32)), .init("value", Schema(.bytes))], name: LogicalName.variableScaleDecimal, version: 1,
        doc: "Variable scaled decimal")

    static let point = Schema.struct(
        [
            .init("x", Schema(.float64)), .init("y", Schema(.float64)), .init("wkb", optionalBytes),
            .init("srid", Schema(.int32, optional: true)),
        ], name: LogicalName.point, version: 1, doc: "Geometry (POINT)")

    private static func geometry(_ name: String, doc: String) -> Schema {
        .struct([.init("wkb", Schema(.bytes)), .init("srid", Schema(.int32, optional: true))], name: name, version: 1, doc: doc)
    }
    static let geometry = geometry("io.debezium.data.geometry.Geometry", doc: "Geometry")
    static let geography = geometry("io.debezium.data.geometry.Geography", doc: "Geography")

    static let doubleVector = Schema(.array, name: "io.debezium.data.DoubleVector", version: 1, element: Schema(.float64))
    static let floatVector = Schema(.array, name: "io.debezium.data.FloatVector", version: 1, element: Schema(.float32))
    static let sparseVector = Schema.struct(
        [.init("dimensions", Schema(.int16)), .init("vector", .map(Schema(.int16), Schema(.float64)))],
        name: "io.debezium.data.SparseDoubleVector", version: 1, doc: "Sparse double vector")
}
