import Avro
package import ConnectAPI
import JSON
import Synchronization

/// `io.confluent.connect.avro.AvroConverter`: Avro's binary form behind Confluent's five bytes, schemas in a registry.
///
///     column ──▶ Avro schema, id (asked for once a schema and topic) ──▶ 0, id, value ‖ 0, id, value …
///     rows ──▶ runs of one id ──▶ schema of the id (asked for once) ──▶ builders ──▶ columns
///
/// It never waits: what it does not know yet is a `Lookup` for its caller. What a registry refuses is remembered for half a minute, so that
/// the rows it concerns are refused one by one, and tried again when somebody may have changed it.
package final class AvroConverter: Converter {
    package static let className = "io.confluent.connect.avro.AvroConverter"

    private enum Mode { case register, latest, find }

    /// How rows of a schema are written.
    private struct Writer: Sendable {
        /// The magic byte and the id.
        let prefix: [UInt8]
        let type: AvroType
    }
    private struct WriterKey: Hashable {
        let topic: String
        let schema: Schema
    }
    /// How rows with an id are read.
    private struct Reader: Sendable {
        let type: AvroType
        let schema: Schema
    }
    private struct ReaderKey: Hashable {
        let topic: String
        let id: Int32
    }
    private enum Known<T: Sendable>: Sendable {
        case value(T)
        case refused(ConnectorError, until: ContinuousClock.Instant)

        /// nil: to be asked again.
        func get() throws(ConnectorError) -> T? {
            switch self {
            case .value(let value): return value
            case .refused(let error, let until):
                if ContinuousClock.now > until { return nil }
                throw error
            }
        }
    }
    private struct State {
        var writers: [WriterKey: Known<Writer>] = [:]
        var readers: [ReaderKey: Known<Reader>] = [:]
    }

    private let registry: SchemaRegistry
    private let options: AvroOptions
    private let naming: SubjectNaming
    private let isKey: Bool
    private let mode: Mode
    private let cacheSize: Int
    /// Asked once a batch, and where the id changes.
    private let state = Mutex(State())

    /// Throws where a file of certificates cannot be read.
    package init(_ configuration: Configuration) throws {
        registry = SchemaRegistry(try .init(configuration))
        options = configuration.options
        isKey = configuration.type == "key"
        naming = SubjectNaming(className: isKey ? configuration.keySubjects : configuration.valueSubjects) ?? .topic
        mode = configuration.registers ? .register : configuration.usesLatest ? .latest : .find
        cacheSize = max(1, configuration.cacheSize)
    }

    // MARK: Writing

    package func render(_ column: Column?, count: Int, nullSchemaRows: Bitmap?, topic: String) throws -> RenderedRows {
        guard let column else { return .absent(count) }
        let valid = column.validRows
        let present = nullSchemaRows.map { nulls in valid.map { $0 & !nulls } ?? !nulls } ?? valid
        // Nulls have no bytes and need no schema.
        if count == 0 || present?.noneSet == true { return .absent(count) }
        let writer = try writer(for: column.schema, topic)
        let rows = try AvroRows(column, writer.type, options, isBare: true)
        var out = AvroBytes(), offsets: [Int32] = [0]
        offsets.reserveCapacity(count + 1)
        for row in 0..<count {
            if present.map({ $0[row] }) ?? true {
                out.raw(writer.prefix)
                do throws(ConnectorError) { try rows.write(row, to: &out) } catch {
                    throw ConnectorError(
                        error.code, error.disposition, error.message, hint: "Row \(row) of a batch for topic \(topic). \(error.hint ?? "")",
                        underlying: error.underlying)
                }
            }
            guard let end = Int32(exactly: out.count) else {
                throw ConnectorError("converter.batch_too_large", .stop, "A batch of \(count) records for topic \(topic) takes more than 2 GiB as Avro")
            }
            offsets.append(end)
        }
        return RenderedRows(values: VarBytes(offsets: offsets, bytes: out.take()), present: present)
    }

    private func writer(for schema: Schema, _ topic: String) throws -> Writer {
        if schema.isSchemaless {
            throw ConnectorError(
                "avro.no_schema", .reject, "Records for topic \(topic) have no schema, and Avro needs one",
                hint: "Use JsonConverter with schemas.enable=false for them, or a source with schemas")
        }
        let key = WriterKey(topic: topic, schema: schema)
        if let known = try state.withLock({ $0.writers[key] })?.get() { return known }
        throw Lookup { try await self.learn(key) }
    }

    private func learn(_ key: WriterKey) async throws {
        let known: Known<Writer>
        do { known = .value(try await ask(key)) } catch let error as ConnectorError where error.disposition == .reject { known = Self.refused(error) }
        state.withLock {
            if $0.writers.count >= cacheSize { $0.writers.removeAll() }
            $0.writers[key] = known
        }
    }

    private func ask(_ key: WriterKey) async throws -> Writer {
        let json = AvroSchema.json(key.schema, options), own = try AvroType.parse(json, validating: true)
        let subject = try naming.subject(topic: key.topic, isKey: isKey, own), text = json.compactBytes
        let id: Int32, type: AvroType
        switch mode {
        case .register: (id, type) = (try await registry.register(text, subject: subject), own)
        case .find: (id, type) = (try await registry.id(of: text, subject: subject), own)
        case .latest: (id, type) = try await registry.latest(subject: subject)
        }
        return Writer(prefix: [0] + withUnsafeBytes(of: id.bigEndian) { Array($0) }, type: type)
    }

    private static func refused<T>(_ error: ConnectorError) -> Known<T> { .refused(error, until: .now + .seconds(30)) }

    // MARK: Reading

    package func parse(_ rows: RenderedRows, topic: String) throws -> Column {
        try ParsedRun.column(try parseRuns(rows, topic: topic), count: rows.values.count, topic: topic)
    }

    package func parseRuns(_ rows: RenderedRows, topic: String) throws -> [(rows: Range<Int>, column: Column?)] {
        var runs: [(rows: Range<Int>, column: Column?)] = [], first = 0, id: Int32?, reader: AvroReader?
        func finish(_ end: Int) throws {
            guard end > first else { return }
            do { runs.append((first..<end, try reader?.finish())) } catch { throw Self.located(error, "Rows \(first)..<\(end)", topic) }
            first = end
        }
        try rows.values.bytes.withUnsafeBytes { bytes in
            for row in 0..<rows.values.count {
                guard rows.present.map({ $0[row] }) ?? true else {
                    if reader != nil {
                        try finish(row)
                        id = nil
                        reader = nil
                    }
                    continue
                }
                let range = rows.values.range(row)
                do {
                    let next = try WireFormat.id(bytes, range)
                    if next != id {
                        try finish(row)
                        let known = try self.reader(next, topic, rows)
                        reader = try AvroReader(known.type, known.schema, options, isBare: true)
                        id = next
                    }
                    try reader!.read(bytes, range.lowerBound + WireFormat.headerBytes..<range.upperBound)
                } catch let error as ConnectorError {
                    throw Self.located(error, "Row \(row)", topic)
                }
            }
        }
        try finish(rows.values.count)
        return runs
    }

    private static func located(_ error: any Error, _ rows: String, _ topic: String) -> any Error {
        guard let error = error as? ConnectorError else { return error }
        return ConnectorError(
            error.code, error.disposition, error.message, hint: "\(rows) of a batch from topic \(topic). \(error.hint ?? "")",
            underlying: error.underlying)
    }

    private func reader(_ id: Int32, _ topic: String, _ rows: RenderedRows) throws -> Reader {
        if let known = try state.withLock({ $0.readers[ReaderKey(topic: topic, id: id)] })?.get() { return known }
        let ids = WireFormat.ids(rows.values, present: rows.present)
        throw Lookup { try await self.learn(ids, topic) }
    }

    /// Learns all ids of a batch, so that what one row needs is not forgotten for another's.
    private func learn(_ ids: Set<Int32>, _ topic: String) async throws {
        for id in ids.sorted() {
            let key = ReaderKey(topic: topic, id: id)
            // A refusal in force is known, too.
            if case .some(let known) = state.withLock({ $0.readers[key] }) {
                do { if try known.get() != nil { continue } } catch { continue }
            }
            let known: Known<Reader>
            do { known = .value(try await ask(key)) } catch let error as ConnectorError where error.disposition == .reject { known = Self.refused(error) }
            state.withLock {
                if $0.readers.count >= cacheSize { $0.readers = $0.readers.filter { $0.key.topic == topic && ids.contains($0.key.id) } }
                $0.readers[key] = known
            }
        }
    }

    private func ask(_ key: ReaderKey) async throws -> Reader {
        let (type, document) = try await registry.type(id: key.id)
        // As Confluent's converter: the version of the schema in its subject is the version of the Connect schema.
        let version: Int? =
            if let subject = try? naming.subject(topic: key.topic, isKey: isKey, type) { try await registry.version(of: document, subject: subject) } else {
                nil
            }
        return Reader(type: type, schema: try type.connectSchema(options, version: version))
    }
}

/// Confluent's framing: a zero, the id of the schema in four bytes, the value.
enum WireFormat {
    static let headerBytes = 5

    /// Throws `.reject` for bytes that are framed otherwise.
    static func id(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(ConnectorError) -> Int32 {
        guard range.count >= headerBytes, bytes[range.lowerBound] == 0 else {
            throw ConnectorError(
                "avro.not_framed", .reject,
                range.isEmpty
                    ? "The record has no bytes, where a zero and the id of a schema begin a value"
                    : "The record does not begin with a zero and the id of a schema",
                hint: "It was not written by a serializer with a schema registry; read it with the converter it was written with")
        }
        return Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: range.lowerBound + 1, as: Int32.self))
    }

    /// The ids of a batch; rows that are framed otherwise are left out.
    static func ids(_ values: VarBytes, present: Bitmap?) -> Set<Int32> {
        values.bytes.withUnsafeBytes { bytes in
            var ids: Set<Int32> = [], last: Int32?
            for row in 0..<values.count where present.map({ $0[row] }) ?? true {
                guard let id = try? id(bytes, values.range(row)), id != last else { continue }
                last = id
                ids.insert(id)
            }
            return ids
        }
    }
}
