import ConnectAPI
import Synchronization

/// Records as the sink's converters read them.
///
/// Where a sink's converters are the source's, with the same settings, the columns pass as they are: rendering them to bytes and parsing
/// these would give the same values. Where they differ, that is what is done, so that a sink sees exactly what Kafka Connect would show it:
/// a `StringConverter` the JSON text, a `JsonConverter` with schemas the error about the missing envelope.
final class SinkConversion: Sendable {
    struct Failure: Error {
        let stage: FailureStage
        let className: String
        let underlying: any Error
    }

    private let own: Rendering
    private let make: @Sendable (String, [String: String], Bool) throws -> any Converter
    private let made = Mutex<[Made: any Converter]>([:])
    /// A converter may differ by what it is for.
    private struct Made: Hashable {
        let converter: Rendering.Converter
        let isKey: Bool
    }

    init(_ own: Rendering, _ services: TaskServices) {
        self.own = own
        make = services.converter
    }

    /// The batch under the sink's converters, in parts of one schema where its rows have several. Throws `Failure`, or a `Lookup`.
    func convert(_ batch: RecordBatch, rendered: Rendering) throws -> [(rows: Range<Int>, batch: RecordBatch)] {
        let all = 0..<batch.count
        var keys = [ParsedRun(rows: all, column: batch.key)]
        var values = [ParsedRun(rows: all, column: batch.value, tombstones: batch.tombstones)]
        if batch.key != nil, !same(rendered.key, own.key) { keys = try runs(batch.key, nil, batch, from: rendered, .keyConverter) }
        if batch.value != nil, !same(rendered.value, own.value) {
            values = try runs(batch.value, batch.tombstones, batch, from: rendered, .valueConverter)
        }
        var batch = batch
        // Columns that came from a source here keep their values; bytes are read as the sink is told.
        if rendered == .bytes, !same(rendered.header, own.header) { batch.headers = try batch.headers.map { try header($0, batch) } }
        if keys.count == 1, values.count == 1 {
            batch.key = keys[0].column
            batch.value = values[0].column
            batch.tombstones = values[0].tombstones
            return [(all, batch)]
        }
        let cuts = Set(keys.map(\.rows.upperBound) + values.map(\.rows.upperBound)).sorted()
        var start = 0
        return cuts.map { end in
            defer { start = end }
            let rows = start..<end
            let key = keys.first { $0.rows.contains(start) }?.slice(rows), value = values.first { $0.rows.contains(start) }?.slice(rows)
            var part = RecordBatch(
                topic: batch.topic, count: rows.count, key: key?.column, value: value?.column, tombstones: value?.tombstones,
                timestamps: batch.timestamps.slice(rows), headers: [])
            part.headers = batch.slice(rows).headers
            return (rows, part)
        }
    }

    private func header(_ column: HeaderColumn, _ batch: RecordBatch) throws -> HeaderColumn {
        do {
            let rows = try ByteArrayConverter()
                .render(column.values, count: batch.count, nullSchemaRows: column.present.map { !$0 }, topic: batch.topic)
            return HeaderColumn(column.name, try converter(own.header, false).parse(rows, topic: batch.topic), present: column.present)
        } catch let lookup as Lookup {
            throw lookup
        } catch {
            throw Failure(stage: .headerConverter, className: own.header.className, underlying: error)
        }
    }

    /// Settings that are defaults count as unset; credentials do not count.
    private func same(_ a: Rendering.Converter, _ b: Rendering.Converter) -> Bool {
        func normal(_ c: Rendering.Converter) -> Rendering.Converter {
            let c = c.withoutSecrets
            let name = c.className.split(separator: ".").last.map(String.init) ?? c.className
            return .init(
                name, c.settings.mapValues { $0.trimmingSpaces().lowercased() }.filter { $0.key != "schemas.enable" || $0.value != "true" })
        }
        // One that cannot be made is judged where it is used.
        return (a == b || normal(a) == normal(b)) && (try? converter(b, false).keepsColumns) ?? true
    }

    private func runs(
        _ column: Column?, _ tombstones: Bitmap?, _ batch: RecordBatch, from rendered: Rendering, _ stage: FailureStage
    ) throws -> [ParsedRun] {
        let isKey = stage == .keyConverter, from = isKey ? rendered.key : rendered.value, to = isKey ? own.key : own.value
        do {
            let rows = try converter(from, isKey).render(
                column, count: batch.count, nullSchemaRows: tombstones, topic: batch.topic,
                headers: isKey ? nil : RecordHeaders(batch.headers, try converter(rendered.header, false)))
            if let present = rows.present, present.noneSet { return [ParsedRun(rows: 0..<batch.count, column: nil)] }
            let runs = try converter(to, isKey).parseRuns(rows, topic: batch.topic)
            return ParsedRun.joining(runs, present: rows.present)
        } catch let lookup as Lookup {
            throw lookup
        } catch {
            throw Failure(stage: stage, className: to.className, underlying: error)
        }
    }

    private func converter(_ of: Rendering.Converter, _ isKey: Bool) throws -> any Converter {
        let key = Made(converter: of, isKey: isKey)
        if let converter = made.withLock({ $0[key] }) { return converter }
        let converter = try make(of.className, of.settings, isKey)
        made.withLock { $0[key] = converter }
        return converter
    }
}
