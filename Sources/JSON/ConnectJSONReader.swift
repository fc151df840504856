package import ConnectAPI
#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Reads what JsonConverter writes into columns.
///
///     rows of bytes ──▶ tape ──▶ schema (the same bytes as the row before: not read again) ──▶ builders, one a member ──▶ column a run
///
/// With `schemas.enable` every row brings its schema; rows that share one make a run. Without, values have no schema in Kafka Connect; here
/// the rows of one call share a schema that is found from all of them (see `SchemalessBuilder`), so it depends on which rows come together; the
/// JSON written from it does not, but that a whole number is written with a fraction where another row has one.
package struct ConnectJSONReader: ~Copyable {
    /// Consecutive rows of one schema. No column: rows without bytes, or `null` without a schema.
    package struct Run: Sendable {
        package let rows: Range<Int>
        package let column: Column?
    }

    private let options: ConnectJSONOptions
    private var tape = JSONTape()
    /// `{"schema":…,"payload":` of the last row that had its members in that order.
    private var knownPrefix: [UInt8] = []
    private var knownSchema: Schema?

    package init(_ options: ConnectJSONOptions) { self.options = options }

    package static let envelopeMessage =
        "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional fields."
        + " If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration."

    /// Rows `i` with `present[i]` false have no bytes. Throws `.reject` errors that name the row.
    package mutating func read(_ values: VarBytes, present: Bitmap?) throws -> [Run] {
        try values.bytes.withUnsafeBytes { bytes in
            func row(_ i: Int) -> UnsafeRawBufferPointer? {
                present.map { $0[i] } ?? true ? UnsafeRawBufferPointer(rebasing: bytes[values.range(i)]) : nil
            }
            return options.schemasEnabled ? try readEnvelopes(values.count, row) : try readBare(values.count, row)
        }
    }

    private mutating func readEnvelopes(_ count: Int, _ row: (Int) -> UnsafeRawBufferPointer?) throws -> [Run] {
        var runs: [Run] = [], first = 0, schema: Schema?, builder: ColumnBuilder?
        func finish(_ end: Int) {
            if end > first { runs.append(Run(rows: first..<end, column: builder?.finish())) }
            first = end
        }
        for i in 0..<count {
            do {
                guard let bytes = row(i), let (next, token, payload) = try envelope(bytes) else {
                    if schema != nil {
                        finish(i)
                        (schema, builder) = (nil, nil)
                    }
                    continue
                }
                guard let next else {
                    finish(i)
                    (schema, builder) = (nil, nil)
                    runs.append(Run(rows: i..<i + 1, column: try schemaless(payload, token)))
                    first = i + 1
                    continue
                }
                if schema == nil || next !== schema! && next != schema! {
                    finish(i)
                    (schema, builder) = (next, ColumnBuilder.make(next, options))
                }
                var at = token
                try builder!.append(tape, payload, &at)
            } catch { throw Self.located(error, row: i) }
        }
        finish(count)
        return runs
    }

    /// The schema of a row (nil: it has none), and token and bytes of its payload on the tape; nil for `null`.
    private mutating func envelope(_ bytes: UnsafeRawBufferPointer) throws -> (Schema?, token: Int, UnsafeRawBufferPointer)? {
        if let knownSchema, bytes.count > knownPrefix.count, bytes[bytes.count - 1] == UInt8(ascii: "}"),
            knownPrefix.withUnsafeBytes({ Self.begins(bytes, with: $0) })
        {
            let payload = UnsafeRawBufferPointer(rebasing: bytes[knownPrefix.count..<bytes.count - 1])
            // If this is not one value, the row is read in full, for its error.
            if (try? tape.parse(payload)) != nil { return (knownSchema, 0, payload) }
        }
        try tape.parse(bytes)
        let root = tape.tokens[0]
        if root.kind == .null { return nil }
        guard root.kind == .object, let members = envelopeMembers(bytes) else {
            throw ConnectorError("converter.not_an_envelope", .reject, Self.envelopeMessage)
        }
        if tape.tokens[members.schema].kind == .null {
            return tape.tokens[members.payload].kind == .null ? nil : (nil, members.payload, bytes)
        }
        var at = members.schema
        let schema = try ConnectJSONSchema.parse(JSONValue(tape, bytes, &at), options)
        if members.schema < members.payload {
            let start = Int(tape.tokens[members.payload].start)
            let isString = tape.tokens[members.payload].kind == .string || tape.tokens[members.payload].kind == .escapedString
            knownPrefix = Array(bytes[..<(isString ? start - 1 : start)])
            knownSchema = schema
        }
        return (schema, members.payload, bytes)
    }

    private static func begins(_ bytes: UnsafeRawBufferPointer, with prefix: UnsafeRawBufferPointer) -> Bool {
        guard let a = bytes.baseAddress, let b = prefix.baseAddress, bytes.count >= prefix.count else { return false }
        return memcmp(a, b, prefix.count) == 0
    }

    private func envelopeMembers(_ bytes: UnsafeRawBufferPointer) -> (schema: Int, payload: Int)? {
        var schema: Int?, payload: Int?, at = 1
        while at < tape.tokens.count {
            switch JSONText.string(tape.tokens[at], bytes) {
            case "schema" where schema == nil: schema = at + 1
            case "payload" where payload == nil: payload = at + 1
            default: return nil
            }
            at = Int(tape.tokens[at + 1].next)
        }
        guard let schema, let payload else { return nil }
        return (schema, payload)
    }

    /// A payload among others that have schemas.
    private mutating func schemaless(_ bytes: UnsafeRawBufferPointer, _ token: Int) throws -> Column? {
        var at = token
        return try JSONValue(tape, bytes, &at).compactBytes.withUnsafeBytes { payload in try readBare(1) { _ in payload }.first?.column }
    }

    private mutating func readBare(_ count: Int, _ row: (Int) -> UnsafeRawBufferPointer?) throws -> [Run] {
        var builder = SchemalessBuilder(), isNormalized = false
        while true {
            var pass = SchemalessBuilder.Pass()
            for i in 0..<count {
                do throws(JSONError) {
                    try append(row(i), to: builder, &pass, isNormalized: isNormalized)
                } catch { throw Self.located(error, row: i) }
            }
            if !pass.hasConflict, !pass.hasDuplicate { break }
            if pass.hasDuplicate {
                // What was learnt of values that do not count is forgotten with them.
                (builder, isNormalized) = (SchemalessBuilder(), true)
            } else {
                builder.begin()
            }
        }
        return count == 0 ? [] : [Run(rows: 0..<count, column: builder.finish())]
    }

    /// No bytes are a null. `isNormalized`: of members that are there twice only the last is looked at.
    private mutating func append(
        _ bytes: UnsafeRawBufferPointer?, to builder: SchemalessBuilder, _ pass: inout SchemalessBuilder.Pass, isNormalized: Bool
    ) throws(JSONError) {
        guard let bytes else { return builder.appendNull() }
        var at = 0
        try tape.parse(bytes)
        guard isNormalized else { return builder.append(tape, bytes, &at, &pass) }
        let text = JSONValue(tape, bytes, &at).compactBytes
        let failure: JSONError? = text.withUnsafeBytes { bytes in
            var at = 0
            do throws(JSONError) { try tape.parse(bytes) } catch { return error }
            builder.append(tape, bytes, &at, &pass)
            return nil
        }
        if let failure { throw failure }
    }

    private static func located(_ error: any Error, row: Int) -> ConnectorError {
        switch error {
        case let error as ConnectorError:
            ConnectorError(error.code, .reject, error.message, hint: "Row \(row) of the batch. \(error.hint ?? "")", underlying: error)
        case let error as JSONError:
            ConnectorError(
                "converter.json_invalid", .reject,
                "Converting byte[] to Kafka Connect data failed due to serialization error: \(error.message)",
                hint: "Row \(row) of the batch, at byte \(error.offset)", underlying: error)
        default: ConnectorError("converter.failed", .reject, "Row \(row) of the batch could not be read: \(error)")
        }
    }

    /// One value of a known schema.
    static func column(of schema: Schema, _ json: [UInt8], _ options: ConnectJSONOptions) throws -> Column {
        try json.withUnsafeBytes { bytes in
            var tape = JSONTape()
            try tape.parse(bytes)
            let builder = ColumnBuilder.make(schema, options)
            var at = 0
            try builder.append(tape, bytes, &at)
            return builder.finish()
        }
    }
}
