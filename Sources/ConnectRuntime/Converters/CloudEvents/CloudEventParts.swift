import ConnectAPI
import JSON

/// Events taken apart: their attributes, and their data as it was written.
///
/// Checks that every row is a CloudEvent: an object of at least four members, `id`, `source`, `specversion` and `type` among them.
struct CloudEventParts {
    /// `{"id":…}`: every member but `data`.
    private(set) var attributes = VarBytes()
    private(set) var data = VarBytes()
    /// Rows with a member `data`.
    private(set) var hasData = Bitmap()

    private static let required = ["id", "source", "specversion", "type"]

    init(_ rows: RenderedRows) throws {
        var tape = JSONTape()
        try rows.values.bytes.withUnsafeBytes { all in
            for row in 0..<rows.values.count {
                guard rows.present.map({ $0[row] }) ?? true else {
                    attributes.appendEmpty()
                    data.appendEmpty()
                    hasData.append(repeating: false, count: 1)
                    continue
                }
                let bytes = UnsafeRawBufferPointer(rebasing: all[rows.values.range(row)])
                do throws(JSONError) {
                    try tape.parse(bytes)
                } catch {
                    throw ConnectorError(
                        "converter.json_invalid", .reject, "Converting byte[] to Kafka Connect data failed due to serialization error: \(error.message)",
                        hint: "Row \(row) of the batch, at byte \(error.offset)", underlying: error)
                }
                try split(tape, bytes, row)
            }
        }
    }

    private mutating func split(_ tape: borrowing JSONTape, _ bytes: UnsafeRawBufferPointer, _ row: Int) throws {
        var missing = Set(Self.required), members: Set<String> = [], found: Range<Int>?, at = 1
        guard tape.tokens[0].kind == .object else { throw Self.noEvent("it is no object", row) }
        attributes.bytes.append(UInt8(ascii: "{"))
        let start = attributes.bytes.count
        while at < tape.tokens.count {
            let name = JSONText.string(tape.tokens[at], bytes), value = Self.text(of: tape.tokens[at + 1])
            members.insert(name)
            missing.remove(name)
            if name == "data" {
                found = value
            } else {
                if attributes.bytes.count > start { attributes.bytes.append(UInt8(ascii: ",")) }
                attributes.bytes.append(contentsOf: bytes[Int(tape.tokens[at].start) - 1..<Int(tape.tokens[at].end) + 1])
                attributes.bytes.append(UInt8(ascii: ":"))
                attributes.bytes.append(contentsOf: bytes[value])
            }
            at = Int(tape.tokens[at + 1].next)
        }
        guard missing.isEmpty, members.count >= 4 else { throw Self.noEvent("it has no \(missing.sorted().joined(separator: ", "))", row) }
        attributes.append(CollectionOfOne(UInt8(ascii: "}")))
        data.append(found.map { bytes[$0] } ?? bytes[0..<0])
        hasData.append(repeating: found != nil, count: 1)
    }

    /// A value with its quotes, if it has any.
    private static func text(of token: JSONTape.Token) -> Range<Int> {
        let isString = token.kind == .string || token.kind == .escapedString
        return Int(token.start) - (isString ? 1 : 0)..<Int(token.end) + (isString ? 1 : 0)
    }

    private static func noEvent(_ reason: String, _ row: Int) -> ConnectorError {
        ConnectorError(
            "converter.not_a_cloudevent", .reject, "A deserialized record's value is not a CloudEvent: \(reason)", hint: "Row \(row) of the batch")
    }
}
