package import ConnectAPI

/// `GET`, `PATCH` and `DELETE /connectors/{name}/offsets`.
extension StandaloneHerder {
    package func offsets(_ name: String) async throws -> [SourcePosition] { try await offsets(of: try existing(name)).read() }

    package func alterOffsets(_ name: String, _ positions: [SourcePosition]) async throws -> String {
        try await offsets(of: try stopped(name)).alter(positions, providers)
    }

    package func resetOffsets(_ name: String) async throws -> String { try await offsets(of: try stopped(name)).reset() }

    private func offsets(of connector: ManagedConnector) -> ConnectorOffsets {
        ConnectorOffsets(name: connector.name, values: connector.stored.values, plugin: connector.plugin, log: log)
    }

    private func stopped(_ name: String) throws -> ManagedConnector {
        let connector = try existing(name)
        guard connector.stored.targetState == .stopped, connector.taskConfigs.isEmpty, connector.running.isEmpty else {
            throw ConnectorOffsets.mustBeStopped(name)
        }
        return connector
    }
}
