import ConnectAPI
import JSON

/// A record of one of Kafka Connect's internal topics as it lies in Kafka; a nil value is a tombstone.
package struct InternalRecord: Sendable, Hashable {
    package let key: [UInt8]
    package let value: [UInt8]?

    package init(key: [UInt8], value: [UInt8]?) {
        self.key = key
        self.value = value
    }

    init(_ key: String, _ value: JSONValue?) {
        self.init(key: Array(key.utf8), value: value?.compactBytes)
    }

    /// The key as text; internal keys are never anything else.
    var keyText: String { String(decoding: key, as: UTF8.self) }

    /// The value of a JSON object; nil for a tombstone. Throws `kafka.internal_record` when it is something else.
    func object() throws -> JSONObject? {
        guard let value else { return nil }
        let parsed: JSONValue
        do {
            parsed = try JSONValue.parse(value)
        } catch {
            throw malformed("its value is no JSON")
        }
        if parsed.isNull { return nil }
        guard let object = parsed.objectValue else { throw malformed("its value is no JSON object") }
        return object
    }

    /// Never shows the value: configurations hold passwords (Invariant 10).
    func malformed(_ why: String) -> ConnectorError {
        ConnectorError(
            "kafka.internal_record", .stop, "The record with the key \(keyText.prefix(200)) does not have Kafka Connect's format: \(why)",
            hint: "Check that the worker's config, offset and status topics are the ones of a Connect cluster and are not mixed up")
    }
}

extension JSONObject {
    /// A map of strings, as connector configurations are.
    var entries: [ConfigEntry]? {
        var out: [ConfigEntry] = []
        for member in members {
            // A null value cannot be told from an absent one by any connector.
            if member.value.isNull { continue }
            guard let text = member.value.scalarText else { return nil }
            out.append(ConfigEntry(member.key, text))
        }
        return out
    }
}
