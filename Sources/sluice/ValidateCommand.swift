import ConnectAPI
import ConnectRuntime

/// `sluice validate FILE...`
struct ValidateCommand {
    private let files: [String]

    init(_ arguments: some Sequence<String>) throws {
        files = try Arguments(arguments, options: []).operands
        if files.isEmpty { throw UsageError("validate needs a file") }
    }

    func run() async throws {
        let worker = try WorkerConfig()
        let acceptance = ConnectorAcceptance(
            validator: ConfigValidator(plugins: .builtIn(), workerValues: worker.values), providers: try ConfigProviders(worker.values), log: Logger("sluice"))
        var failed = false
        for path in files {
            do {
                failed = try await check(try ConnectorFile(path: path), acceptance) || failed
            } catch let error as ConnectorError {
                failed = true
                Output.error("\(error.message)\(error.hint.map { ". \($0)" } ?? "")")
            } catch let error as HerderError {
                failed = true
                Output.error("\(path): \(error.message)")
            }
        }
        if failed { throw ExitStatus(code: 2) }
    }

    /// Prints the findings of a file; true when it has errors.
    private func check(_ file: ConnectorFile, _ acceptance: ConnectorAcceptance) async throws -> Bool {
        var config = file.config
        if !config.contains(where: { $0.key == "name" }) { config.append(ConfigEntry("name", file.name)) }
        let infos = try await acceptance.validated(config, plugin: nil, reachingOut: false)
        for entry in infos.entries {
            for error in entry.errors { Output.error("\(file.place(of: entry.name)): error: \(entry.name): \(error)") }
        }
        for notice in infos.notices { Output.error("\(file.place(of: notice.key)): warning: \(notice.key): \(notice.message)") }
        if infos.errorCount == 0 { Output.line("\(file.path): connector \(file.name) is valid") }
        return infos.errorCount > 0
    }
}
