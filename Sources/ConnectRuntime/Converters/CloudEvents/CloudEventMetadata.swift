import ConnectAPI

/// Where the parts of an event come from (`metadata.source`), and the rows of a batch by what they have in common.
struct CloudEventMetadata: Sendable {
    /// source, op and transaction are headers, and the data is the whole value.
    let isFromHeaders: Bool
    /// Of id, type, traceparent, dataSchemaName: those that headers give.
    let headerFields: Set<String>
    private static let fields = ["id", "type", "traceparent", "dataSchemaName"]

    init(_ configuration: CloudEventsConverter.Configuration) throws(ConnectorError) {
        func invalid(_ reason: String) -> ConnectorError {
            ConnectorError(
                "config.invalid", .stop, "Invalid value \(configuration.metadataSource.joined(separator: ",")) for configuration metadata.source: \(reason)",
                hint: "Write value or header, then pairs such as id:generate or id:header")
        }
        let parts = configuration.metadataSource
        switch parts.first?.lowercased() {
        case "value": isFromHeaders = false
        case "header": isFromHeaders = true
        case let other: throw invalid("Global metadata source can't be \(other ?? "empty")")
        }
        var given: [String: Bool] = [:]
        for part in parts.dropFirst() {
            let sides = part.split(separator: ":", omittingEmptySubsequences: false).map { String($0).trimmingSpaces() }
            guard sides.count > 1, ["header", "generate"].contains(sides[1].lowercased()) else { throw invalid("Field source `\(part)` is not valid") }
            guard Self.fields.contains(sides[0]) else { throw invalid("Field `\(sides[0])` is not allowed to set custom source") }
            given[sides[0]] = sides[1].lowercased() == "header"
        }
        var fromHeaders = Set(Self.fields.filter { [isFromHeaders] in given[$0] ?? isFromHeaders })
        if configuration.tracingAttributes, !fromHeaders.contains("traceparent") {
            throw invalid("traceparent can only be obtained from a record header")
        }
        if !configuration.tracingAttributes { fromHeaders.remove("traceparent") }
        if !configuration.dataSchemaNameFromHeader { fromHeaders.remove("dataSchemaName") }
        headerFields = fromHeaders
    }

    /// Rows that become events of one data schema, with what these are made of, a row of the columns each.
    struct Group {
        /// Their places in the batch, ascending.
        var rows: [Int]
        let connector: String
        var source: Column
        var operation: Column
        /// nil: there is none.
        var transaction: Column?
        /// id, type and traceparent, where headers give them.
        var headers: [String: Column]
        var data: Column
    }

    func groups(_ value: Column, count: Int, nullSchemaRows: Bitmap?, headers: RecordHeaders, topic: String) throws -> [Group] {
        var rows: [Int]?
        let valid = value.validRows, present = nullSchemaRows.map { nulls in valid.map { $0 & !nulls } ?? !nulls } ?? valid
        if let present, !present.allSet { rows = (0..<count).filter { present[$0] } }
        guard isFromHeaders || !headerFields.isEmpty else { return try groups(value, rows ?? Array(0..<count), [:], topic) }
        // Rows that have the same headers, from the same columns: the last of a name counts.
        let names = (isFromHeaders ? ["source", "op", "transaction"] : []) + headerFields.sorted()
        var byPlaces: [[Int?]: [Int]] = [:], order: [[Int?]] = []
        for row in rows ?? Array(0..<count) {
            let places = names.map { headers.last($0, row: row) }
            if isFromHeaders, places[0] == nil || places[1] == nil { continue }
            if byPlaces[places] == nil { order.append(places) }
            byPlaces[places, default: []].append(row)
        }
        return try order.flatMap { places in
            let rows = byPlaces[places] ?? []
            var found: [String: Column] = [:]
            for (name, place) in zip(names, places) { if let place { found[name] = try headers.column(place, rows: rows, topic: topic) } }
            for name in headerFields where found[name] == nil { throw Self.missing("Header `\(name)` was not provided", topic) }
            return try groups(value, rows, found, topic)
        }
    }

    private func groups(_ value: Column, _ rows: [Int], _ headers: [String: Column], _ topic: String) throws -> [Group] {
        if rows.isEmpty { return [] }
        let value = rows.count == value.count ? value : value.select(rows)
        guard value.schema.type == .struct else {
            throw ConnectorError("converter.type_mismatch", .reject, "Mismatching schema", hint: "Topic \(topic): a CloudEvent is made of a struct")
        }
        let source = isFromHeaders ? headers["source"] : value.child("source"), operation = isFromHeaders ? headers["op"] : value.child("op")
        guard let source, source.schema.type == .struct, let connectors = source.child("connector"), let operation else {
            throw Self.missing("A change event has no source, source.connector or op", topic)
        }
        let transaction = isFromHeaders ? headers["transaction"] : value.child("transaction")
        let schemaNames = headers["dataSchemaName"]
        var byKey: [[String?]: [Int]] = [:], order: [[String?]] = []
        if case .constant(let connector) = connectors.storage, schemaNames == nil {
            order = [[connector.stringValue, nil]]
            byKey[order[0]] = Array(rows.indices)
        } else {
            for row in rows.indices {
                let key = [connectors[row].stringValue, schemaNames?[row].stringValue]
                if byKey[key] == nil { order.append(key) }
                byKey[key, default: []].append(row)
            }
        }
        return try order.map { key in
            let connector = key[0] ?? "null", own = byKey[key] ?? []
            guard connector == "postgresql" else {
                throw ConnectorError(
                    "converter.cloudevents_connector", .reject, "No usable CloudEvents converters for connector type \"\(connector)\"",
                    hint: "Topic \(topic): change events of PostgreSQL become CloudEvents")
            }
            func part(_ column: Column) -> Column { own.count == column.count ? column : column.select(own) }
            return Group(
                rows: own.map { rows[$0] }, connector: connector, source: part(source), operation: part(operation), transaction: transaction.map(part),
                headers: headers.mapValues(part), data: part(try data(value, key[1] ?? "io.debezium.connector.\(connector).Data", topic)))
        }
    }

    /// `before` and `after` of an envelope; of another value, whose metadata is in headers, all of it.
    private func data(_ value: Column, _ name: String, _ topic: String) throws -> Column {
        let fields = isFromHeaders ? value.schema.fields : value.schema.fields.filter { $0.name == "before" || $0.name == "after" }
        guard isFromHeaders || fields.count == 2 else { throw Self.missing("A change event has no before or after", topic) }
        return Column(.struct(fields, name: name), count: value.count, .struct(fields.map { value.child($0.name)! }))
    }

    static func missing(_ message: String, _ topic: String) -> ConnectorError {
        ConnectorError(
            "converter.cloudevents_metadata", .reject, message,
            hint:
                "Topic \(topic): metadata.source says where the parts of a CloudEvent come from; headers need header.converter=JsonConverter with schemas.enable=true"
        )
    }
}
