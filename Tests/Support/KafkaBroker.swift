import Foundation
import Synchronization

/// A real broker (Apache Kafka, KRaft, one node) on a free port, from the distribution `KAFKA_HOME` names. It stops, and its files go, when this
/// process ends.
public final class KafkaBroker: Sendable {
    /// nil: no distribution here, and the tests that need one do not run.
    public static let home = ProcessInfo.processInfo.environment["KAFKA_HOME"]
    public static var isAvailable: Bool { home != nil }

    private static let script = Checkout.root + "/scripts/servers/kafka.sh"
    public let bootstrapServers: String
    private let directory: String
    private let port: Int

    private init(directory: String, port: Int) {
        self.directory = directory
        self.port = port
        bootstrapServers = "127.0.0.1:\(port)"
    }

    fileprivate static func started(_ settings: [String] = []) throws -> KafkaBroker {
        let directory = "/tmp/sluice-test-kafka-\(UUID().uuidString)"
        let broker = KafkaBroker(directory: directory, port: try freePort())
        try Subprocess.run(script, ["start", directory, String(broker.port)] + settings)
        _ = try Subprocess.start(script, ["watch", directory, String(ProcessInfo.processInfo.processIdentifier)])
        return broker
    }

    /// After `stop`: the same broker with its data, on the same port.
    public func start() throws { try Subprocess.run(Self.script, ["start", directory, String(port)]) }
    public func stop() throws { try Subprocess.run(Self.script, ["stop", directory]) }
}

private let shared = Mutex<KafkaBroker?>(nil)

/// Gives the body the broker shared by the tests of this process. Topics, groups and ids are the caller's: name them uniquely.
public func withKafka<T>(_ body: (KafkaBroker) async throws -> T) async throws -> T {
    let broker = try shared.withLock { broker in
        if let broker { return broker }
        let started = try KafkaBroker.started()
        broker = started
        return started
    }
    return try await body(broker)
}

/// Gives the body a broker of its own, with `settings` (`key=value`) after those of `scripts/servers/kafka.sh`.
public func withKafka<T>(_ settings: [String], _ body: (KafkaBroker) async throws -> T) async throws -> T {
    let broker = try KafkaBroker.started(settings)
    defer { try? broker.stop() }
    return try await body(broker)
}
