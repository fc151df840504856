import ConnectAPI
import ConnectRuntime
import Synchronization

/// `sluice doctor FILE...`: tries what a connector will do, step by step, and names the first thing that is missing.
struct DoctorCommand {
    private let files: [String]

    init(_ arguments: some Sequence<String>) throws {
        files = try Arguments(arguments, options: []).operands
        if files.isEmpty { throw UsageError("doctor needs a connector file") }
    }

    func run() async throws {
        let worker = try WorkerConfig()
        let plugins = PluginRegistry.builtIn(), validator = ConfigValidator(plugins: plugins, workerValues: worker.values)
        let providers = try ConfigProviders(worker.values)
        var failed = false
        for path in files {
            let report = DoctorReport()
            await examine(path, plugins, validator, providers, report)
            failed = report.failures > 0 || failed
        }
        if failed { throw ExitStatus(code: 2) }
    }

    private func examine(_ path: String, _ plugins: PluginRegistry, _ validator: ConfigValidator, _ providers: ConfigProviders, _ report: DoctorReport) async {
        var config: [String: String] = [:], type: (any Connector.Type)?
        let isValid = await report.step("configuration") {
            let file = try ConnectorFile(path: path)
            var entries = file.config
            if !entries.contains(where: { $0.key == "name" }) { entries.append(ConfigEntry("name", file.name)) }
            config = try providers.resolve(Dictionary(entries.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }))
            let infos = try validator.validate(entries.map { ConfigEntry($0.key, config[$0.key] ?? $0.value) })
            let errors = infos.entries.flatMap { entry in entry.errors.map { "\(file.place(of: entry.name)): \(entry.name): \($0)" } }
            guard errors.isEmpty else { throw ConnectorError("config.invalid", .stop, errors.joined(separator: "; "), hint: "See sluice validate") }
            let name = config["connector.class"] ?? ""
            type = plugins.connectorType(name)
            return "\(file.name) is a valid \(name)"
        }
        guard isValid, let type else { return }
        await Self.examine(type, config, report)
    }

    private static func examine<C: Connector>(_ type: C.Type, _ config: [String: String], _ report: DoctorReport) async {
        var connector: C?
        guard
            await report.step(
                "connector",
                {
                    connector = try C(C.Configuration(config)); return "\(C.info.className) \(C.info.version)"
                })
        else { return }
        await connector?.examine(report)
    }
}

/// Prints steps as they are taken.
final class DoctorReport: Doctor {
    private let count = Mutex(0)
    var failures: Int { count.withLock { $0 } }

    func step(_ name: String, _ body: () async throws -> String) async -> Bool {
        do {
            line("ok", name, try await body())
            return true
        } catch {
            count.withLock { $0 += 1 }
            line("FAIL", name, (error as? ConnectorError)?.description ?? "\(error)")
            return false
        }
    }

    func skip(_ name: String, _ reason: String) { line("-", name, reason) }

    private func line(_ mark: String, _ name: String, _ text: String) {
        func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(1, width - text.count)) }
        Output.line(padded(mark, 6) + padded(name, 22) + text)
    }
}
