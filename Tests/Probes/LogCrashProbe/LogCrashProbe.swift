import ConnectAPI
import ConnectRuntime
import Glibc
import TestSupport

/// Appends known frames to the log of a directory until it is killed, and prints the number of each once it is durable.
///
///     log-crash-probe DIRECTORY
///
/// Goes on after the position it finds. What frame `n` holds is a function of `n` (`CrashFrame`), so that the test can say what a log
/// that ends with position `p` must hold.
@main struct LogCrashProbe {
    static func main() async throws {
        let converter = Rendering.Converter("org.apache.kafka.connect.json.JsonConverter")
        let producer = Producer(
            connector: CrashFrame.connector, task: 0, rendering: Rendering(key: converter, value: converter, header: converter))
        let log = try await EmbeddedLog.open(directory: CommandLine.arguments[1]), appender = log.appender(for: producer)
        var next = try await log.sourcePositions(of: producer.connector).first?.offset["n"]?.integerValue.map { $0 + 1 } ?? 0
        var pending: [(Int64, PendingAppend)] = []
        while true {
            if CrashFrame.isUnit(next) {
                for batch in CrashFrame.batches(next) { try await log.stage([batch], unit: "unit-\(next)", by: producer) }
                // Staged and never published: must not be seen, now or after a crash.
                try await log.stage(CrashFrame.batches(0), unit: "forgotten-\(next)", by: producer)
                pending.append((next, appender.publish(unit: "unit-\(next)", at: CrashFrame.position(next))))
            } else {
                pending.append((next, appender.append(Frame(CrashFrame.batches(next), at: CrashFrame.position(next)))))
            }
            next += 1
            while pending.count > 8 || pending.first?.1.isDone == true {
                let (n, append) = pending.removeFirst()
                try await append.durable()
                let line = "\(n)\n"
                _ = line.withCString { write(1, $0, strlen($0)) }
            }
        }
    }
}
