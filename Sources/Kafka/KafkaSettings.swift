import ConnectAPI

/// Client settings as people write them for the Java clients, translated for librdkafka.
///
///     framework's defaults  <  worker's producer.*/consumer.*/admin.*  <  connector's producer.override.* …  ─▶ librdkafka's properties
///
/// A key librdkafka knows is passed as it is, so that its own settings may be used too. A Java key without an equivalent changes nothing and
/// is named in `notices`; one that would silently change what is read, written or trusted is refused.
package struct KafkaSettings: Sendable {
    package enum Role: String, Sendable { case producer, consumer, admin }

    /// librdkafka's names; a later entry of a name replaces an earlier one.
    package private(set) var properties: [(name: String, value: String)] = []
    /// What was left out, a sentence a key.
    package private(set) var notices: [String] = []
    /// `buffer.memory`: bytes a producer holds that brokers have not acknowledged.
    package private(set) var bufferMemory = 32 << 20

    /// Later layers win. Throws `kafka.config_unsupported` and `kafka.config_invalid`.
    package init(_ role: Role, _ layers: [String: String]...) throws {
        var java: [String: String] = [:]
        for layer in layers { java.merge(layer.mapValues { $0.trimmed }) { $1 } }
        if let memory = java["buffer.memory"] {
            guard let bytes = Int(memory), bytes > 0 else { throw Self.invalid("buffer.memory", "it is not a number of bytes") }
            bufferMemory = bytes
        }
        var translation = Translation(role: role, java: java)
        for key in java.keys.sorted() { try translation.add(key, java[key]!) }
        properties = translation.properties
        notices = translation.notices
        // librdkafka's own bounds lie above ours, which waits instead of refusing.
        if role == .producer, java["queue.buffering.max.kbytes"] == nil {
            properties.append(("queue.buffering.max.kbytes", String(max(1 << 20, bufferMemory / 1024 * 2))))
            properties.append(("queue.buffering.max.messages", "10000000"))
        }
    }

    package subscript(name: String) -> String? { properties.last { $0.name == name }?.value }

    mutating func use(_ name: String, _ value: String) { properties.append((name, value)) }

    /// Says that a property is none of librdkafka's.
    mutating func ignore(_ name: String) { notices.append("\(name) has no equivalent in librdkafka and changes nothing") }

    static func invalid(_ key: String, _ reason: String) -> ConnectorError {
        ConnectorError("kafka.config_invalid", .stop, "Invalid value of the Kafka client setting \(key): \(reason)")
    }
}

extension String {
    fileprivate var trimmed: String {
        var text = Substring(self)
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

/// The settings of a prefix (`producer.`, `consumer.override.` …), without it.
extension [String: String] {
    package func settings(prefixed prefix: String) -> [String: String] {
        var out: [String: String] = [:]
        for (key, value) in self where key.hasPrefix(prefix) && key.count > prefix.count { out[String(key.dropFirst(prefix.count))] = value }
        return out
    }
}
