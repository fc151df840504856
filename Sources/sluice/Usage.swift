import ConnectRuntime

/// What a person typed wrong.
struct UsageError: Error {
    let message: String
    init(_ message: String) { self.message = message }

    /// With what was probably meant.
    init(_ message: String, meant text: String, among known: Set<String>) {
        self.message = message + (ConfigValidator.nearest(to: text, in: known).map { "; did you mean '\($0)'?" } ?? "")
    }
}

enum Usage {
    static let hint = "Try 'sluice help'"
    static let text = """
        sluice \(Sluice.version): Kafka Connect's API, Debezium's events, a Parquet lake; one binary

          sluice run [WORKER_CONFIG] [--data-dir DIR] [--listen HOST:PORT] [--connectors-dir DIR]
              Runs the worker. WORKER_CONFIG is Java properties or JSON with Kafka Connect's keys; CONNECT_* variables override it, options
              override both. Connectors come from the directory (./connectors.d when there is one; watched) and from POST /connectors.
                --data-dir DIR          the log, positions, states (default: data)
                --listen HOST:PORT      where REST and /metrics listen (default: :8083)
                --connectors-dir DIR    connector files, .json or .properties

          sluice tap TOPIC [--from-beginning] [--max N] [--follow] [--url URL | --data-dir DIR] [--pretty]
              Prints records, one JSON line each, in the shape of kcat -J. With --from-beginning what the topic holds, then it ends; without
              it the records that come from now on.
                --max N                 ends after N records
                --follow                with --from-beginning: goes on with what comes
                --url URL               a worker's REST address (default: http://127.0.0.1:8083)
                --data-dir DIR          reads the log itself, whether a worker runs or not
                --pretty                for people

          sluice validate FILE...
              Checks connector files with the engine behind PUT /connector-plugins/…/config/validate. Exit status 2 when one has errors.

          sluice doctor FILE...
              Tries what connectors will do, step by step: credentials, clock, buckets, writes, grants. Exit status 2 when a step fails.

          sluice migrate WORKER_CONFIG --data-dir DIR [--execute]
              Moves a data directory to Kafka: topics, source positions, sink offsets, connectors. Prints what it would do; --execute does it.
              WORKER_CONFIG names bootstrap.servers, group.id and the three storage topics. Nothing that is in Kafka already is overwritten.

          sluice version
        """
}

/// Options and operands of a command, in any order.
struct Arguments {
    private(set) var operands: [String] = []
    private var values: [String: String] = [:]
    private var flags: Set<String> = []

    /// `options` take a value, `flags` none. `--name=value` is fine too.
    init(_ arguments: some Sequence<String>, options: Set<String>, flags known: Set<String> = []) throws {
        var rest = Array(arguments)[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("--"), argument != "--" else {
                operands.append(argument)
                continue
            }
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if known.contains(parts[0]), parts.count == 1 {
                flags.insert(parts[0])
            } else if options.contains(parts[0]) {
                guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else { throw UsageError("\(parts[0]) needs a value") }
                values[parts[0]] = value
            } else if argument == "--help" {
                throw UsageError(Usage.text)
            } else {
                throw UsageError("there is no option \(parts[0])", meant: parts[0], among: options.union(known))
            }
        }
    }

    subscript(option: String) -> String? { values[option] }
    func has(_ flag: String) -> Bool { flags.contains(flag) }
}
