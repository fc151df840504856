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

    var bufferedBytes: Int { (encoder?.bufferedBytes ?? 0) + pending.capacity }
    /// The size of the file if it ended now.
    var encodedBytes: Int { encoder?.encodedBytes ?? 0 }
    /// Of these, what was not handed over yet.
    var unsentBytes: Int { (encoder?.undrainedBytes ?? 0) + pending.count }

    /// Takes rows that all have a value.
    mutating func append(_ values: Column, format: FileFormat) throws {
        var values = values
        if let schema, values.schema !== schema, !format.mixesSchemas { values = SchemaCompatibility.project(values, to: schema) }
        if encoder == nil {
            encoder = try format.encoder(for: values.schema)
            schema = values.schema
        }
        try encoder?.append(values)
        count += values.count
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
    mutating func finish() throws -> (facts: FileFacts, rest: [UInt8])? {
        guard count > 0, var encoder else { return nil }
        let facts = identity.facts(end: end, count: count)
        let rest = pending + (try encoder.finish(facts, topic: identity.topic, partition: identity.partition.partition))
        self.encoder = nil
        pending = []
        return (facts, rest)
    }
}
