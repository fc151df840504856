import ConnectAPI
import JSON

/// Reads request bodies as Kafka Connect's parser does: what it coerces is coerced, what it refuses answers 500 with the words that
/// clients look for (`Unrecognized field`, `Cannot deserialize value`, `Cannot construct instance`).
enum RestBody {
    static func parse(_ request: HTTPRequest) throws -> JSONValue {
        if request.body.isEmpty { return .null }
        do {
            return try JSONValue.parse(request.body)
        } catch {
            throw HerderError(500, error.description)
        }
    }

    /// A string map in order; a null value stays nil. nil: the body is empty or null.
    static func stringMap(_ value: JSONValue) throws -> [(key: String, value: String?)]? {
        if value.isNull { return nil }
        let type = "java.util.LinkedHashMap<java.lang.String,java.lang.String>"
        guard case .object(let object) = value else { throw mismatch(value, type, plainType: "java.util.LinkedHashMap") }
        return try object.members.map { member in (member.key, try text(member.value)) }
    }

    /// A config as submitted; values that are null are named apart.
    static func config(_ value: JSONValue) throws -> SubmittedConfig {
        guard let map = try stringMap(value) else { throw HerderError(500, "The request has no connector configuration: a JSON object is expected") }
        return SubmittedConfig(
            entries: map.compactMap { key, value in value.map { ConfigEntry(key, $0) } }, nullKeys: map.filter { $0.value == nil }.map(\.key))
    }

    /// `POST /connectors`.
    static func create(_ request: HTTPRequest) throws -> (name: String, config: SubmittedConfig, initialState: TargetState) {
        let type = "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest"
        let value = try parse(request)
        if value.isNull { throw HerderError(500, "The request has no body: {\"name\": …, \"config\": {…}} is expected") }
        guard case .object(let object) = value else { throw mismatch(value, type, plainType: type) }
        try refuseUnknown(object, type, known: ["name", "config", "initial_state"])
        var state = TargetState.started
        if let given = try text(object["initial_state"] ?? .null) {
            switch given.uppercased() {
            case "RUNNING": state = .started
            case "PAUSED": state = .paused
            case "STOPPED": state = .stopped
            default:
                throw HerderError(
                    500,
                    "Cannot construct instance of `\(type)$InitialState`, problem: No enum constant \(type).InitialState.\(given.uppercased()); "
                        + "initial_state is RUNNING, PAUSED or STOPPED")
            }
        }
        let name = (try text(object["name"] ?? .null) ?? "").trimmingSpaces()
        return (name, try config(object["config"] ?? .null), state)
    }

    /// `PATCH /connectors/{name}/offsets`. A partition or an offset that is null is an empty map.
    static func offsets(_ request: HTTPRequest) throws -> [SourcePosition] {
        let type = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets"
        let value = try parse(request)
        if value.isNull { throw HerderError(500, "The request has no body: {\"offsets\": […]} is expected") }
        guard case .object(let object) = value else { throw mismatch(value, type, plainType: type) }
        try refuseUnknown(object, type, known: ["offsets"])
        let list = object["offsets"] ?? .null
        let itemType = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset"
        guard let items = list.isNull ? [] : list.arrayValue else { throw mismatch(list, "java.util.ArrayList<\(itemType)>", plainType: "java.util.ArrayList") }
        if items.isEmpty { throw HerderError(400, "Partitions / offsets need to be provided for an alter offsets request") }
        return try items.map { item in
            guard case .object(let members) = item else { throw mismatch(item, itemType, plainType: itemType) }
            try refuseUnknown(members, itemType, known: ["partition", "offset"])
            return SourcePosition(partition: try offsetMap(members["partition"] ?? .null), offset: try offsetMap(members["offset"] ?? .null))
        }
    }

    private static func offsetMap(_ value: JSONValue) throws -> OffsetMap {
        if value.isNull { return OffsetMap() }
        let type = "java.util.LinkedHashMap<java.lang.String,java.lang.Object>"
        guard case .object(let object) = value else { throw mismatch(value, type, plainType: "java.util.LinkedHashMap") }
        return OffsetMap(
            try object.members.map { member in
                switch member.value {
                case .null: (member.key, Value.null)
                case .bool(let bool): (member.key, .boolean(bool))
                case .string(let text): (member.key, .string(text))
                case .number(let text):
                    if let integer = Int64(text) { (member.key, .integer(integer)) } else { (member.key, .double(Double(text) ?? .nan)) }
                case .array, .object:
                    throw HerderError(400, "The value of '\(member.key)' must be a string, a number, a boolean or null")
                }
            })
    }

    /// A scalar as text, nil for null.
    private static func text(_ value: JSONValue) throws -> String? {
        if value.isNull { return nil }
        guard let text = value.scalarText else { throw mismatch(value, "java.lang.String", plainType: "java.lang.String") }
        return text
    }

    private static func refuseUnknown(_ object: JSONObject, _ type: String, known: [String]) throws {
        guard let stranger = object.keys.first(where: { !known.contains($0) }) else { return }
        throw HerderError(
            500,
            "Unrecognized field \"\(stranger)\" (class \(type)), not marked as ignorable (\(known.count) known properties: "
                + known.map { "\"\($0)\"" }.joined(separator: ", ") + "])")
    }

    private static func mismatch(_ value: JSONValue, _ type: String, plainType: String) -> HerderError {
        func construct(_ kind: String, _ shown: String) -> HerderError {
            HerderError(
                500,
                "Cannot construct instance of `\(plainType)` (although at least one Creator exists): no \(kind)-argument constructor/factory method to "
                    + "deserialize from \(shown)")
        }
        switch value {
        case .object: return HerderError(500, "Cannot deserialize value of type `\(type)` from Object value (token `JsonToken.START_OBJECT`)")
        case .array: return HerderError(500, "Cannot deserialize value of type `\(type)` from Array value (token `JsonToken.START_ARRAY`)")
        // The text of a body may be a secret (Invariant 10): it is not repeated.
        case .string: return construct("String", "String value")
        case .number: return construct("int/Int", "Number value")
        case .bool(let bool): return construct("boolean/Boolean", "boolean value (\(bool))")
        case .null: return HerderError(500, "A value is null where `\(plainType)` is expected")
        }
    }
}

/// A connector configuration as it came over REST.
struct SubmittedConfig: Sendable {
    var entries: [ConfigEntry]
    /// Keys whose value is null: refused, except where PATCH removes keys.
    let nullKeys: [String]

    /// With the connector's name in it; throws 400 when it bears another one.
    func named(_ name: String) throws -> SubmittedConfig {
        if let own = entries.first(where: { $0.key == "name" })?.value {
            if own != name { throw HerderError(400, "Connector name configuration (\(own)) doesn't match connector name in the URL (\(name))") }
            return self
        }
        return SubmittedConfig(entries: entries + [ConfigEntry("name", name)], nullKeys: nullKeys.filter { $0 != "name" })
    }

    var nullFindings: [Diagnostic] { nullKeys.map { Diagnostic($0, "Null value can not be supplied as the configuration value.") } }
}
