import ConnectAPI
import Synchronization

@testable import ConnectRuntime

/// A herder that keeps connectors in memory and moves every state at once, without tasks or threads: what the routes are tested against.
/// A connector runs one task while started; sources have the positions of a file read to its end.
final class ModelHerder: Herder {
    private struct Model {
        var config: [ConfigEntry]
        var state: TargetState
        var type: ConnectorType
        /// A connector created paused or stopped has no tasks until it is resumed.
        var hasTasks: Bool
        var topics: [String]
        var offsets: [SourcePosition]
    }
    private let connectorsByName = Mutex<[String: Model]>([:])
    let plugins: PluginRegistry
    let validator: ConfigValidator
    private let givenLog: (any Log)?
    var log: any Log { givenLog! }
    let isReadyNow = Mutex(true)
    static let workerID = "127.0.0.1:18083"

    init(plugins: PluginRegistry = .model, log: (any Log)? = nil) {
        self.plugins = plugins
        givenLog = log
        validator = ConfigValidator(plugins: plugins, workerValues: [:])
    }

    func workerInfo() -> WorkerInfo { WorkerInfo(version: "4.1.0", commit: "13f70256db3c994c", clusterID: "model", workerID: Self.workerID) }
    func isReady() async -> Bool { isReadyNow.withLock { $0 } }

    private func read<T>(_ name: String, missing: String? = nil, _ body: (inout Model) throws -> T) throws -> T {
        try connectorsByName.withLock { all in
            guard all[name] != nil else { throw HerderError(404, missing ?? "Connector \(name) not found") }
            return try body(&all[name]!)
        }
    }

    func connectors() async throws -> [String] { connectorsByName.withLock { $0.keys.sorted() } }
    func info(_ name: String) async throws -> ConnectorView { try read(name) { Self.view(name, $0) } }
    private static func view(_ name: String, _ model: Model) -> ConnectorView {
        ConnectorView(name: name, config: model.config, tasks: tasks(model), type: model.type)
    }
    private static func tasks(_ model: Model) -> [Int] { model.hasTasks ? [0] : [] }

    private static func state(_ model: Model) -> StoredStatus {
        switch model.state {
        case .started: StoredStatus(.running)
        case .paused: StoredStatus(.paused)
        case .stopped: StoredStatus(.stopped)
        }
    }
    private func status(_ name: String, _ model: Model) -> ConnectorStatusView {
        let version = try? validator.resolve(connectorClass: model.config.first { $0.key == "connector.class" }!.value).version
        func view(_ id: Int) -> TaskStatusView { TaskStatusView(id: id, status: Self.state(model), workerID: Self.workerID, version: version) }
        return ConnectorStatusView(name: name, type: model.type, connector: view(0), tasks: Self.tasks(model).map(view))
    }
    func status(_ name: String) async throws -> ConnectorStatusView {
        try read(name, missing: "No status found for connector \(name)") { status(name, $0) }
    }
    func taskStatus(_ name: String, _ task: Int) async throws -> TaskStatusView {
        let missing = "No status found for task \(name)-\(task)"
        guard let view = try read(name, missing: missing, { status(name, $0) }).tasks.first(where: { $0.id == task }) else { throw HerderError(404, missing) }
        return view
    }
    func tasks(_ name: String) async throws -> [TaskView] {
        try read(name) { model in
            Self.tasks(model).map { TaskView(task: $0, config: model.config + [ConfigEntry("task.class", Self.taskClass(model))]) }
        }
    }
    private static func taskClass(_ model: Model) -> String {
        let name = model.config.first { $0.key == "connector.class" }!.value
        return name.contains("postgresql") ? name + "Task" : name.replacing("Connector", with: "Task")
    }
    func topics(_ name: String) async throws -> [String] { connectorsByName.withLock { $0[name]?.topics ?? [] } }
    func resetTopics(_ name: String) async throws { connectorsByName.withLock { $0[name]?.topics = [] } }

    private func checked(_ config: [ConfigEntry]) throws -> ConnectorType {
        let infos = try validator.validate(config)
        if let message = infos.badRequestMessage { throw HerderError(400, message) }
        return try validator.resolve(connectorClass: infos.name).kind == .sink ? .sink : .source
    }

    func create(_ name: String, _ config: [ConfigEntry], initialState: TargetState) async throws -> ConnectorView {
        let type = try checked(config)
        return try connectorsByName.withLock { all in
            if all[name] != nil { throw HerderError(409, "Connector \(name) already exists") }
            let values = Dictionary(config.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
            all[name] = Model(
                config: config, state: initialState, type: type, hasTasks: initialState == .started,
                topics: values["topic"].map { [$0] } ?? ConfigValidator.list(values["topics"] ?? ""),
                offsets: values["file"].map { [SourcePosition(partition: ["filename": .string($0)], offset: ["position": 70])] } ?? [])
            return ConnectorView(name: name, config: config, tasks: [], type: type)
        }
    }
    func put(_ name: String, _ config: [ConfigEntry]) async throws -> (created: Bool, ConnectorView) {
        let type = try checked(config)
        if connectorsByName.withLock({ $0[name] == nil }) { return (true, try await create(name, config, initialState: .started)) }
        return (
            false,
            try read(name) { model in
                model.config = config
                model.type = type
                return Self.view(name, model)
            }
        )
    }
    func patch(_ name: String, _ changes: [(key: String, value: String?)]) async throws -> ConnectorView {
        var config = try read(name) { $0.config }
        for change in changes {
            let place = config.firstIndex { $0.key == change.key }
            switch (place, change.value) {
            case (let i?, let value?): config[i] = ConfigEntry(change.key, value)
            case (let i?, nil): config.remove(at: i)
            case (nil, let value?): config.append(ConfigEntry(change.key, value))
            case (nil, nil): break
            }
        }
        return try await put(name, config).1
    }
    func delete(_ name: String) async throws {
        try read(name) { _ in }
        connectorsByName.withLock { $0[name] = nil }
    }
    private func move(_ name: String, _ state: TargetState) throws {
        try read(name, missing: "Unknown connector \(name)") { model in
            model.state = state
            if state == .stopped { model.hasTasks = false }
            if state == .started { model.hasTasks = true }
        }
    }
    func pause(_ name: String) async throws { try move(name, .paused) }
    func resume(_ name: String) async throws { try move(name, .started) }
    func stop(_ name: String) async throws { try move(name, .stopped) }

    func restart(_ name: String, includeTasks: Bool, onlyFailed: Bool) async throws -> ConnectorStatusView? {
        let view = try read(name, missing: "Unknown connector: \(name)") { status(name, $0) }
        if !includeTasks, !onlyFailed { return nil }
        func restarting(_ task: TaskStatusView) -> TaskStatusView {
            onlyFailed ? task : TaskStatusView(id: task.id, status: StoredStatus(.restarting), workerID: task.workerID, version: task.version)
        }
        return ConnectorStatusView(name: name, type: view.type, connector: restarting(view.connector), tasks: view.tasks.map(restarting))
    }
    func restartTask(_ name: String, _ task: Int) async throws {
        try read(name, missing: "Unknown connector: \(name)") {
            if !Self.tasks($0).contains(task) { throw HerderError(404, "Unknown task: \(name)-\(task)") }
        }
    }

    func offsets(_ name: String) async throws -> [SourcePosition] { try read(name) { $0.type == .source ? $0.offsets : [] } }
    private func stopped<T>(_ name: String, _ body: (inout Model) throws -> T) throws -> T {
        try read(name) { model in
            guard model.state == .stopped else {
                throw HerderError(
                    400,
                    "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by "
                        + "issuing a 'PUT' request to the '/connectors/\(name)/stop' endpoint")
            }
            return try body(&model)
        }
    }
    func alterOffsets(_ name: String, _ positions: [SourcePosition]) async throws -> String {
        try stopped(name) { model in
            if model.type == .sink { _ = try ConnectorOffsets.sinkOffsets(positions) }
            for position in positions {
                model.offsets.removeAll { $0.partition == position.partition }
                if !position.offset.entries.isEmpty { model.offsets.append(position) }
            }
            return "The offsets for this connector have been altered successfully"
        }
    }
    func resetOffsets(_ name: String) async throws -> String {
        try stopped(name) { model in
            model.offsets = []
            return "The offsets for this connector have been reset successfully"
        }
    }
    func validate(_ config: [ConfigEntry], plugin: String?) async throws -> ConfigInfos { try validator.validate(config, plugin: plugin) }
}

// MARK: - Plugins with the keys the recorded worker's had

struct FileSourceKeys: ConnectConfiguration {
    @Field("file", importance: .high, doc: "") var file: String?
    @Field("topic", importance: .high, doc: "", check: .nonEmpty) var topic: String
    @Field("batch.size", default: "2000", importance: .low, doc: "") var batchSize: Int
    init() {}
}
struct FileSinkKeys: ConnectConfiguration {
    @Field("file", importance: .high, doc: "") var file: String?
    init() {}
}
struct RouterKeys: ConnectConfiguration {
    @Field("regex", importance: .high, doc: "") var regex: String
    @Field("replacement", importance: .high, doc: "") var replacement: String
    init() {}
}
struct JSONConverterKeys: ConnectConfiguration {
    @Field("converter.type", importance: .low, doc: "") var type: String
    @Field("schemas.enable", default: "true", importance: .high, doc: "", group: "Schemas", order: 0, width: .medium, displayName: "Enable Schemas")
    var schemas: Bool
    @Field("schemas.cache.size", default: "1000", importance: .high, doc: "", group: "Schemas", order: 1, width: .medium, displayName: "Schema Cache Size")
    var cache: Int
    @Field("decimal.format", default: "BASE64", importance: .low, doc: "", group: "Serialization", order: 0, width: .medium, displayName: "Decimal Format")
    var decimals: String
    @Field(
        "replace.null.with.default", default: "true", importance: .low, doc: "", group: "Serialization", order: 1, width: .medium,
        displayName: "Replace null with default")
    var replaceNull: Bool
    init() {}
}

extension PluginRegistry.Plugin {
    static func model<C: ConnectConfiguration>(_ kind: PluginRegistry.Kind, _ className: String, _ keys: C.Type, version: String = "4.1.0") -> Self {
        Self(
            kind: kind, className: className, version: version, keys: C.keys, keyPrefixes: C.keyPrefixes, findings: { C.parse($0).findings },
            implementation: .named)
    }
    static func model(_ kind: PluginRegistry.Kind, _ className: String, version: String = "4.1.0") -> Self {
        Self(kind: kind, className: className, version: version, keys: [], findings: { _ in [] }, implementation: .named)
    }
}

extension PluginRegistry {
    static var model: PluginRegistry {
        var registry = PluginRegistry()
        registry.register(.model(.sink, "org.apache.kafka.connect.file.FileStreamSinkConnector", FileSinkKeys.self))
        registry.register(.model(.source, "io.debezium.connector.postgresql.PostgresConnector", version: "3.3.1.Final"))
        registry.register(.model(.source, "org.apache.kafka.connect.file.FileStreamSourceConnector", FileSourceKeys.self))
        registry.register(.model(.transformation, "org.apache.kafka.connect.transforms.RegexRouter", RouterKeys.self))
        registry.register(.model(.predicate, "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone"))
        registry.register(.model(.converter, "org.apache.kafka.connect.json.JsonConverter", JSONConverterKeys.self))
        registry.register(.model(.converter, "org.apache.kafka.connect.storage.StringConverter"))
        registry.register(.model(.headerConverter, "org.apache.kafka.connect.storage.SimpleHeaderConverter"))
        return registry
    }
}
