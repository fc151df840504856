import ConnectAPI
import JSON

/// What the herder says, in the JSON of Kafka Connect: member names and their order are part of the interface.
extension JSONValue {
    init(_ info: WorkerInfo) {
        self = .object([("version", .string(info.version)), ("commit", .string(info.commit)), ("kafka_cluster_id", .string(info.clusterID))])
    }

    init(_ config: [ConfigEntry]) { self = .object(config.map { ($0.key, .string($0.value)) }) }

    static func taskID(_ connector: String, _ task: Int) -> JSONValue { .object([("connector", .string(connector)), ("task", .integer(task))]) }

    init(_ view: ConnectorView) {
        self = .object([
            ("name", .string(view.name)), ("config", JSONValue(view.config)), ("tasks", .array(view.tasks.map { .taskID(view.name, $0) })),
            ("type", .string(view.type.rawValue)),
        ])
    }

    init(_ view: TaskView, of connector: String) {
        self = .object([("id", .taskID(connector, view.task)), ("config", JSONValue(view.config))])
    }

    init(_ view: ConnectorStatusView) {
        self = .object([
            ("name", .string(view.name)), ("connector", .object(Self.state(view.connector))),
            ("tasks", .array(view.tasks.sorted { $0.id < $1.id }.map { JSONValue($0) })), ("type", .string(view.type.rawValue)),
        ])
    }

    init(_ view: TaskStatusView) { self = .object([("id", .integer(view.id))] + Self.state(view)) }

    private static func state(_ view: TaskStatusView) -> [(String, JSONValue)] {
        var members: [(String, JSONValue)] = [("state", .string(view.status.state.rawValue)), ("worker_id", .string(view.workerID))]
        if let version = view.version { members.append(("version", .string(version))) }
        if let trace = view.status.trace, !trace.isEmpty { members.append(("trace", .string(trace))) }
        return members
    }

    init(_ positions: [SourcePosition]) {
        self = .object([
            (
                "offsets",
                .array(positions.map { .object([("partition", JSONValue($0.partition)), ("offset", JSONValue($0.offset))]) })
            )
        ])
    }

    init(_ map: OffsetMap) { self = .object(map.entries.map { ($0.key, JSONValue(offsetValue: $0.value)) }) }

    private init(offsetValue value: ConnectAPI.Value) {
        switch value {
        case .boolean(let bool): self = .bool(bool)
        case .integer(let integer): self = .integer(integer)
        case .double(let double): self = .double(double)
        case .float(let float): self = .double(Double(float))
        case .string(let text): self = .string(text)
        case .null, .bytes, .array, .map, .struct: self = .null
        }
    }

    init(_ plugin: PluginRegistry.Plugin) {
        self = .object([("class", .string(plugin.className)), ("type", .string(plugin.kind.rawValue)), ("version", .string(plugin.version))])
    }

    init(_ key: ConfigKey) {
        let shown = key.kind == .password && key.defaultValue != nil ? "[hidden]" : key.defaultValue
        self = .object([
            ("name", .string(key.name)), ("type", .string(key.kind.rawValue)), ("required", .bool(key.isRequired)),
            ("default_value", shown.map { .string($0) } ?? .null), ("importance", .string(key.importance.rawValue)),
            ("documentation", .string(key.documentation)), ("group", key.group.map { .string($0) } ?? .null),
            ("width", .string(key.width.rawValue)), ("display_name", .string(key.displayName)), ("dependents", .array([])),
            ("order", .integer(key.order)),
        ])
    }

    init(_ infos: ConfigInfos) {
        self = .object([
            ("name", .string(infos.name)), ("error_count", .integer(infos.errorCount)), ("groups", .array(infos.groups.map { .string($0) })),
            (
                "configs",
                .array(
                    infos.entries.map { entry in
                        .object([
                            ("definition", entry.definition.map { JSONValue($0) } ?? .null),
                            (
                                "value",
                                .object([
                                    ("name", .string(entry.name)), ("value", entry.value.map { .string($0) } ?? .null),
                                    ("recommended_values", .array(entry.recommended.map { .string($0) })),
                                    ("errors", .array(entry.errors.map { .string($0) })), ("visible", .bool(entry.visible)),
                                ])
                            ),
                        ])
                    })
            ),
        ])
    }
}
