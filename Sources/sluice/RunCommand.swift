import ConnectAPI
import ConnectRuntime
import Glibc

/// `sluice run`: the worker.
///
///     configuration ─▶ log ─▶ herder ─▶ REST answers ─▶ stored connectors ─▶ connectors.d ─▶ … a signal … ─▶ everything ends in reverse
struct RunCommand {
    private let config: WorkerConfig
    private let connectorsDirectory: String?
    private let log = Logger("sluice")

    init(_ arguments: some Sequence<String>) throws {
        let arguments = try Arguments(arguments, options: ["--data-dir", "--listen", "--connectors-dir"])
        guard arguments.operands.count <= 1 else { throw UsageError("run takes one worker configuration, not \(arguments.operands.count)") }
        var overrides: [String: String] = [:]
        if let directory = arguments["--data-dir"] { overrides["sluice.data.dir"] = directory }
        if let directory = arguments["--connectors-dir"] { overrides["sluice.connectors.dir"] = directory }
        if let listen = arguments["--listen"] {
            guard ListenAddress(listener: listen) != nil else { throw UsageError("--listen takes HOST:PORT, not '\(listen)'") }
            overrides["listeners"] = "http://\(listen)"
        }
        config = try WorkerConfig(
            file: try arguments.operands.first.map { try WorkerConfig.read($0) } ?? [:], environment: Environment.variables, overrides: overrides)
        let given = config.settings.connectorsDirectory
        connectorsDirectory = given ?? (WorkerFile.exists("connectors.d") ? "connectors.d" : nil)
        if let given, !WorkerFile.exists(given) { throw UsageError("the connectors directory \(given) does not exist") }
    }

    func run() async throws {
        let (signals, continuation) = AsyncStream<Int32>.makeStream()
        Signals.wait { continuation.yield($0) }
        if let level = config.logLevel { Logger.setLevel(level, of: "root", at: nil) }
        for notice in config.notices { log.warn(notice) }

        let parts = try await WorkerParts(config, commit: Self.commit)
        let herder = parts.herder
        let rest = try RestServer(herder, try restOptions(parts))
        let advertised = config.listeners.firstIndex(of: config.advertisedListener) ?? 0
        herder.advertise(config.workerID(host: "127.0.0.1", port: rest.ports[advertised]))
        for (listener, port) in zip(config.listeners + (config.adminListeners ?? []), rest.ports) {
            let shown = ListenAddress(host: listener.address.host.isEmpty ? "0.0.0.0" : listener.address.host, port: port)
            log.info(
                "REST server listening at \(listener.scheme.rawValue)://\(shown)/, advertising URL \(config.advertisedListener.scheme.rawValue)://\(herder.workerInfo().workerID)/"
            )
        }

        try await withThrowingTaskGroup { group in
            let serving = Task { await rest.run() }
            group.addTask {
                try await herder.start()
                log.info("Kafka Connect started")
                if let connectorsDirectory {
                    let directory = ConnectorsDirectory(path: connectorsDirectory, herder: herder)
                    await directory.load()
                    log.info("Finished starting connectors and tasks")
                    await directory.watch()
                } else {
                    log.info("Finished starting connectors and tasks")
                }
            }
            group.addTask { try await Housekeeping(herder: herder, log: parts.embedded, config: config).run() }
            group.addTask {
                for await signal in signals { throw Stopped(signal: signal) }
            }
            defer { group.cancelAll() }
            do {
                while try await group.next() != nil {}
            } catch let stopped as Stopped {
                log.info("Kafka Connect stopping (signal \(stopped.signal)); a second signal ends it at once")
            } catch {
                log.error("The worker cannot go on: \(error)")
                group.cancelAll()
                await shutDown(parts, rest, serving)
                throw ExitStatus(code: 1)
            }
            group.cancelAll()
            await shutDown(parts, rest, serving)
        }
        log.info("Kafka Connect stopped")
    }

    private func shutDown(_ parts: WorkerParts, _ rest: RestServer, _ serving: Task<Void, Never>) async {
        rest.stop()
        await parts.herder.shutDown()
        await serving.value
        await parts.close()
    }

    private struct Stopped: Error {
        let signal: Int32
    }

    private func restOptions(_ parts: WorkerParts) throws -> RestOptions {
        var options = try RestOptions(config)
        options.metrics = { [herder = parts.herder] in await herder.metricsText() }
        options.forward = parts.forward
        return options
    }

    /// 16 hexadecimal digits, the shape of Kafka's; from the version, since a build does not know its commit.
    private static let commit: String = {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in "sluice \(Sluice.version)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }()
}

/// What happens now and then: rates are sampled, progress is said, old records go.
private struct Housekeeping {
    let herder: any WorkerHerder
    /// nil: topics are kept by Kafka's own rules.
    let log: EmbeddedLog?
    let config: WorkerConfig
    private let progress = Logger("sluice.progress")

    init(herder: any WorkerHerder, log: EmbeddedLog?, config: WorkerConfig) {
        self.herder = herder
        self.log = log
        self.config = config
    }

    func run() async throws {
        let policy = RetentionPolicy(
            time: config.settings.retention, bytes: config.settings.retentionBytes < 0 ? nil : config.settings.retentionBytes)
        var rounds = 0
        while true {
            herder.metrics.sampleRates()
            try await Task.sleep(for: .seconds(5))
            rounds += 1
            // Soon after the start, so that a person sees that it flows; then once a minute.
            if rounds == 2 || rounds % 12 == 0 { for line in herder.metrics.progressLines() { progress.info(line) } }
            guard rounds % 12 == 0, let log else { continue }
            do {
                try await log.retain(policy, consumedBy: try await herder.subscriptions())
            } catch let error as ConnectorError {
                progress.warn("Old records could not be removed from the log: \(error)")
            }
        }
    }
}

enum Environment {
    static var variables: [String: String] {
        var out: [String: String] = [:], entry = unsafe environ
        while let text = unsafe entry.pointee {
            let pair = unsafe String(cString: text).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2 { out[String(pair[0])] = String(pair[1]) }
            unsafe entry += 1
        }
        return out
    }
}
