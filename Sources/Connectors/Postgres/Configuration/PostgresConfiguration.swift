import ConnectAPI

/// Every key of Debezium's PostgreSQL connector, with Debezium's types, defaults and order; the texts are ours.
///
/// Keys that make no sense here say so in their text: they are accepted, so that a configuration people have works as it is. The keys stand by subject
/// beside this file and are read as if they stood here; what they mean together is in `PostgresConfiguration+Meaning.swift`.
@dynamicMemberLookup
package struct PostgresConfiguration: ConnectConfiguration {
    private let connection = ConnectionKeys()
    private let connector = ConnectorKeys()
    private let events = EventKeys()
    private let unlisted = UnlistedKeys()

    package init() {}

    package subscript<Value>(dynamicMember key: KeyPath<ConnectionKeys, Value>) -> Value { connection[keyPath: key] }
    package subscript<Value>(dynamicMember key: KeyPath<ConnectorKeys, Value>) -> Value { connector[keyPath: key] }
    package subscript<Value>(dynamicMember key: KeyPath<EventKeys, Value>) -> Value { events[keyPath: key] }
    package subscript<Value>(dynamicMember key: KeyPath<UnlistedKeys, Value>) -> Value { unlisted[keyPath: key] }
}
