import ConnectAPI

/// A file that takes records.
struct OpenFile {
    let identity: FileIdentity
    /// Wall-clock milliseconds.
    let openedAt: Int64
    /// The last offset it covers, ignored null records included.
    private(set) var end: Int64
    /// Rows in it.
    private(set) var count = 0
    private(set) var schema: Schema?
    private var encoder: (any FileEncoder)?
    /// The files of keys and headers beside it.
    private var keys: (any FileEncoder)?
    private var headers: (any FileEncoder)?
    /// Encoded bytes that do not fill a part yet.
    private var pending: [UInt8] = []
    private var partCount = 0
    /// Takes the parts of a file that outgrew one.
    var upload: FileUpload?

    init(_ identity: FileIdentity, openedAt: Int64) {
        self.identity = identity
        self.openedAt = openedAt
        end = identity.start
    }

    var bufferedBytes: Int { (encoder?.bufferedBytes ?? 0) + (keys?.bufferedBytes ?? 0) + (headers?.bufferedBytes ?? 0) + pending.capacity }
    /// The size of the file if it ended now.
    var encodedBytes: Int { encoder?.encodedBytes ?? 0 }
    /// Of these, what was not handed over yet.
    var unsentBytes: Int { (encoder?.undrainedBytes ?? 0) + pending.count }

    /// Takes rows that all have a value. All or nothing.
    mutating func append(_ rows: FileRows, _ formats: FileFormats) throws {
        var values = rows.values
        let format = formats.format(of: identity.kind)
        if let schema, values.schema !== schema, !format.mixesSchemas { values = SchemaCompatibility.project(values, to: schema) }
        if encoder == nil {
            encoder = try format.encoder(for: values.schema, formats.layouts)
            schema = values.schema
        }
        // First what may refuse a row: what follows takes any.
        try encoder?.append(values)
        if let column = rows.keys {
            if keys == nil { keys = try formats.keys.encoder(for: column.schema, formats.layouts) }
            try keys?.append(column)
        }
        if let column = rows.headers {
            if headers == nil { headers = try formats.headers.encoder(for: column.schema, formats.layouts) }
            try headers?.append(column)
        }
        count += rows.count
    }

    /// Drops its rows for newer ones; what it covers stays.
    mutating func forgetRows() {
        (encoder, keys, headers, schema, count) = (nil, nil, nil, nil, 0)
    }

    mutating func covers(_ offset: Int64) { end = max(end, offset) }

    /// Whole parts of what is encoded. `endingRows`: what the encoder still holds is encoded first, where the format allows it.
    mutating func takeParts(_ context: UploadContext, endingRows: Bool) throws -> [[UInt8]] {
        let wanted = context.partSize(number: partCount + 1)
        guard var encoder else { return [] }
        if endingRows {
            try encoder.endRows()
            self.encoder = encoder
        }
        guard encoder.drainableBytes + pending.count >= wanted else { return [] }
        pending += encoder.drain()
        self.encoder = encoder
        var parts: [[UInt8]] = [], from = 0
        while true {
            let size = context.partSize(number: partCount + 1)
            guard pending.count - from >= size else { break }
            parts.append(Array(pending[from..<from + size]))
            partCount += 1
            from += size
        }
        pending = Array(pending[from...])
        return parts
    }

    /// Ends the file; nil when it holds no row.
    mutating func finish() throws -> (facts: FileFacts, rest: [UInt8], companions: [FileUpload.Companion])? {
        guard count > 0, var encoder else { return nil }
        let facts = identity.facts(end: end, count: count), (topic, partition) = (identity.topic, identity.partition.partition)
        let rest = pending + (try encoder.finish(facts, topic: topic, partition: partition))
        var companions: [FileUpload.Companion] = []
        if var keys { companions.append(.init(kind: .keys, body: try keys.finish(facts, topic: topic, partition: partition))) }
        if var headers { companions.append(.init(kind: .headers, body: try headers.finish(facts, topic: topic, partition: partition))) }
        (self.encoder, keys, headers, pending) = (nil, nil, nil, [])
        return (facts, rest, companions)
    }
}
