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
    private let made = Mutex<[Rendering.Converter: any Converter]>([:])

    init(_ own: Rendering, _ services: TaskServices) {
        self.own = own
        make = services.converter
    }

    /// The batch under the sink's converters. Throws `Failure`.
    func convert(_ stored: StoredBatch) throws -> RecordBatch {
        var batch = stored.batch
        if !same(stored.rendering.key, own.key), let key = batch.key {
            batch.key = try column(
                key, nil, batch, from: stored.rendering.key, to: own.key, .keyConverter
            ).column
        }
        if !same(stored.rendering.value, own.value), batch.value != nil {
            let (column, tombstones) = try column(batch.value, batch.tombstones, batch, from: stored.rendering.value, to: own.value, .valueConverter)
            batch.value = column
            batch.tombstones = tombstones
        }
        return batch
    }

    /// Settings that are defaults count as unset.
    private func same(_ a: Rendering.Converter, _ b: Rendering.Converter) -> Bool {
        func normal(_ c: Rendering.Converter) -> Rendering.Converter {
            let name = c.className.split(separator: ".").last.map(String.init) ?? c.className
            return .init(
                name, c.settings.mapValues { $0.trimmingSpaces().lowercased() }.filter { $0.key != "schemas.enable" || $0.value != "true" })
        }
        return a == b || normal(a) == normal(b)
    }

    private func column(
        _ column: Column?, _ tombstones: Bitmap?, _ batch: RecordBatch, from: Rendering.Converter, to: Rendering.Converter, _ stage: FailureStage
    ) throws -> (column: Column?, tombstones: Bitmap?) {
        do {
            let rows = try converter(from, stage == .keyConverter)
                .render(column, count: batch.count, nullSchemaRows: tombstones, topic: batch.topic)
            if let present = rows.present, present.noneSet { return (nil, nil) }
            return (try converter(to, stage == .keyConverter).parse(rows, topic: batch.topic), rows.present.map { !$0 })
        } catch {
            throw Failure(stage: stage, className: to.className, underlying: error)
        }
    }

    private func converter(_ of: Rendering.Converter, _ isKey: Bool) throws -> any Converter {
        if let converter = made.withLock({ $0[of] }) { return converter }
        let converter = try make(of.className, of.settings, isKey)
        made.withLock { $0[of] = converter }
        return converter
    }
}
