package import ConnectAPI
import JSON

/// `io.debezium.converters.CloudEventsConverter`: Debezium's change events as CloudEvents 1.0, structured mode, JSON.
///
///     envelope, headers ──CloudEventAttributes──▶ id, source, type, time, … as columns ─┐
///     before and after, or the whole value ──▶ data, with its schema or without ────────┴─▶ {"id":…,…,"data":…}
///     bytes ──▶ attributes read without schemas, data as it was written ──▶ an object without a schema that holds both
///
/// A value that is no change event (a heartbeat, a transaction's end, a tombstone) is null, as in Debezium; null reads as null, where Debezium fails.
/// Follows https://debezium.io/documentation/reference/3.3/integrations/cloudevents.html and the converter's code; Avro needs a schema registry.
package final class CloudEventsConverter: Converter {
    package static let className = "io.debezium.converters.CloudEventsConverter"

    private let attributes: CloudEventAttributes
    private let metadata: CloudEventMetadata
    private let dataOptions: ConnectJSONOptions
    /// An event around its data never brings a schema.
    private let eventOptions: ConnectJSONOptions

    init(_ configuration: Configuration) throws {
        metadata = try CloudEventMetadata(configuration)
        attributes = CloudEventAttributes(
            metadata, extensions: configuration.extensionAttributes, tracing: configuration.tracingAttributes)
        dataOptions = JsonConverter(try JsonConverter.Configuration(configuration.jsonSettings)).options
        var options = dataOptions
        options.schemasEnabled = false
        eventOptions = options
    }

    package var keepsColumns: Bool { false }

    package func render(_ column: Column?, count: Int, nullSchemaRows: Bitmap?, topic: String) throws -> RenderedRows {
        try render(column, count: count, nullSchemaRows: nullSchemaRows, topic: topic, headers: nil)
    }

    package func render(_ column: Column?, count: Int, nullSchemaRows: Bitmap?, topic: String, headers: RecordHeaders?) throws -> RenderedRows {
        guard let column, count > 0, metadata.isFromHeaders || Envelope.isNamed(column.schema) else { return .absent(count) }
        let groups = try metadata.groups(column, count: count, nullSchemaRows: nullSchemaRows, headers: headers ?? RecordHeaders([], self), topic: topic)
        if groups.count == 1, groups[0].rows.count == count { return RenderedRows(values: try events(groups[0], topic), present: nil) }
        var places = [(group: Int, row: Int)?](repeating: nil, count: count)
        for (g, group) in groups.enumerated() { for (i, row) in group.rows.enumerated() { places[row] = (g, i) } }
        let rendered = try groups.map { try events($0, topic) }
        var out = VarBytes()
        for place in places { if let (group, row) = place { out.append(rendered[group][row]) } else { out.appendEmpty() } }
        return RenderedRows(values: out, present: Bitmap(places.lazy.map { $0 != nil }))
    }

    private func events(_ group: CloudEventMetadata.Group, _ topic: String) throws -> VarBytes {
        let event = ConnectJSONRenderer(try attributes.column(of: group), eventOptions), data = ConnectJSONRenderer(group.data, dataOptions)
        var out = JSONWriter(capacity: 64 * 1024), offsets: [Int32] = [0]
        offsets.reserveCapacity(group.rows.count + 1)
        for row in group.rows.indices {
            do throws(ConnectorError) {
                try event.write(row, to: &out)
                // The data goes inside, as the last member.
                out.truncate(to: out.count - 1)
                out.literal(",\"data\":")
                try data.write(row, to: &out)
                out.literal("}")
            } catch {
                throw ConnectorError(
                    error.code, error.disposition, error.message, hint: "Row \(group.rows[row]) of a batch for topic \(topic)", underlying: error)
            }
            guard let end = Int32(exactly: out.count) else {
                throw ConnectorError(
                    "converter.batch_too_large", .stop, "A batch of \(group.rows.count) events for topic \(topic) takes more than 2 GiB as JSON")
            }
            offsets.append(end)
        }
        return VarBytes(offsets: offsets, bytes: out.take())
    }

    package func parse(_ rows: RenderedRows, topic: String) throws -> Column {
        let runs = try parseRuns(rows, topic: topic)
        guard let schema = runs.lazy.compactMap(\.column).first?.schema else {
            return .constant(.null, Schema(.string, optional: true), count: rows.values.count)
        }
        guard runs.allSatisfy({ $0.column.map { $0.schema == schema } ?? true }) else {
            throw ConnectorError(
                "converter.mixed_schemas", .reject, "The events read from topic \(topic) have data of different schemas",
                hint: "Read them in runs of one schema")
        }
        return Column.concatenating(runs.map { $0.column ?? .constant(.null, schema, count: $0.rows.count) })
    }

    package func parseRuns(_ rows: RenderedRows, topic: String) throws -> [(rows: Range<Int>, column: Column?)] {
        let parts = try CloudEventParts(rows)
        var eventReader = ConnectJSONReader(eventOptions), dataReader = ConnectJSONReader(dataOptions)
        guard let events = try eventReader.read(parts.attributes, present: rows.present).first?.column else { return [(0..<rows.values.count, nil)] }
        let dataRuns = try dataReader.read(parts.data, present: parts.hasData)
        return dataRuns.flatMap { run in
            let presence = rows.present.map { $0.slice(run.rows) } ?? Bitmap(repeating: true, count: run.rows.count)
            return presence.runs.map { part -> (rows: Range<Int>, column: Column?) in
                let own = run.rows.lowerBound + part.range.lowerBound..<run.rows.lowerBound + part.range.upperBound
                guard part.bit else { return (own, nil) }
                return (own, Self.event(events.slice(own), data: run.column?.slice(part.range), hasData: parts.hasData.slice(own)))
            }
        }
    }

    /// An object without a schema whose `data` may have one.
    private static func event(_ attributes: Column, data: Column?, hasData: Bitmap) -> Column {
        var data = data ?? .constant(.null, Schema(.string, optional: true), count: attributes.count)
        if !hasData.allSet { data = data.with(unavailable: !hasData) }
        let schema = attributes.schema.with(optional: true, fields: attributes.schema.fields + [Schema.Field("data", data.schema)])
        return Column(schema, count: attributes.count, .struct(attributes.children + [data]), validity: attributes.validity)
    }
}
