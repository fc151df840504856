import ConnectAPI
import ConnectRuntime

/// `sluice migrate`: prints what would be done, or does it.
struct MigrateCommand {
    private let config: WorkerConfig
    private let executes: Bool

    init(_ arguments: some Sequence<String>) throws {
        let arguments = try Arguments(arguments, options: ["--data-dir"], flags: ["--execute"])
        guard arguments.operands.count <= 1 else { throw UsageError("migrate takes one worker configuration, not \(arguments.operands.count)") }
        executes = arguments.has("--execute")
        config = try WorkerConfig(
            file: try arguments.operands.first.map { try WorkerConfig.read($0) } ?? [:], environment: Environment.variables,
            overrides: arguments["--data-dir"].map { ["sluice.data.dir": $0] } ?? [:])
    }

    func run() async throws {
        let directory = config.settings.dataDirectory
        guard WorkerFile.exists(directory) else { throw UsageError("there is no data directory \(directory)") }
        guard !(config.settings.bootstrapServers ?? "").isEmpty else { throw UsageError("the worker configuration names no bootstrap.servers to migrate to") }
        let embedded = try await EmbeddedLog.open(directory: directory)
        let migration = try await Migration(embedded, config, making: executes)
        let steps = try await migration.plan()
        for step in steps {
            Output.line("\(executes && step.isAction ? "" : step.isAction ? "would " : "")\(step)")
            if executes { try await migration.perform(step) }
        }
        let actions = steps.count(where: \.isAction)
        if actions == 0 {
            Output.line("Nothing to do: Kafka has what \(directory) has")
        } else if !executes {
            Output.line("\(actions) step(s); nothing was changed. Run it again with --execute to do them")
        }
        await migration.close()
        await embedded.close()
    }
}
