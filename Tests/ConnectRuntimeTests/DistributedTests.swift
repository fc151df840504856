import ConnectAPI
import Foundation
import Kafka
import TestSupport
import Testing

@testable import ConnectRuntime

/// One worker of a cluster on librdkafka's mock, which is what every CI has.
@Suite(.serialized) struct DistributedMockTests {
    private func withCluster(_ body: (TestCluster) async throws -> Void) async throws {
        let kafka = MockKafka()
        try await withTemporaryDirectory { directory in
            let cluster = TestCluster(kafka.bootstrapServers, directory: directory)
            for (topic, partitions) in [("configs", 1), ("offsets", 3), ("status", 5), ("sluice-slots", 16)] {
                kafka.createTopic("\(cluster.name)-\(topic)", partitions: partitions)
            }
            try await body(cluster)
        }
        withExtendedLifetime(kafka) {}
    }

    @Test func aConnectorRunsAndIsBroughtBackByTheNextWorker() async throws {
        try await withCluster { cluster in
            try await cluster.withWorker(1, makingTopics: false) { herder in
                let view = try await herder.create("c", cluster.hold(3, ["note": "ü"]), initialState: .started)
                #expect(view.config.contains(ConfigEntry("note", "ü")))
                try await eventually { cluster.journal.running.count == 3 }
                try await eventually { try await herder.status("c").tasks.map(\.status.state) == [.running, .running, .running] }
                try await eventually { try await herder.status("c").connector.status.state == .running }
                let status = try await herder.status("c")
                #expect(status.connector.workerID == herder.workerInfo().workerID)
                #expect(status.connector.version == "1.2")
                #expect(try await herder.tasks("c").map(\.config).map { $0.contains(ConfigEntry("task.class", "test.HoldSourceTask")) } == [true, true, true])
                try await herder.pause("c")
                try await eventually { try await herder.status("c").tasks.allSatisfy { $0.status.state == .paused } }
            }
            #expect(cluster.journal.running.isEmpty)
            try await cluster.withWorker(2, makingTopics: false) { herder in
                #expect(try await herder.info("c").tasks == [0, 1, 2])
                try await eventually { try await herder.status("c").tasks.allSatisfy { $0.status.state == .paused } }
                try await herder.resume("c")
                try await eventually { cluster.journal.running.count == 3 }
                try await herder.stop("c")
                try await eventually {
                    let status = try await herder.status("c")
                    return status.tasks.isEmpty && status.connector.status.state == .stopped
                }
                #expect(cluster.journal.running.isEmpty)
                try await herder.delete("c")
                try await eventually { (try? await herder.status("c")) == nil }
                #expect(await herder.connectors().isEmpty)
            }
        }
    }

    @Test func requestsAreAnsweredInKafkasWords() async throws {
        try await withCluster { cluster in
            try await cluster.withWorker(1, makingTopics: false) { herder in
                func refusal(_ body: () async throws -> Void) async -> String? {
                    do { try await body() } catch let error as HerderError { return "\(error.status) \(error.message)" } catch { return "\(error)" }
                    return nil
                }
                #expect(await refusal { _ = try await herder.info("x") } == "404 Connector x not found")
                #expect(await refusal { _ = try await herder.status("x") } == "404 No status found for connector x")
                #expect(await refusal { try await herder.delete("x") } == "404 Connector x not found")
                #expect(await refusal { try await herder.pause("x") } == "404 Unknown connector x")
                #expect(await refusal { try await herder.restartTask("x", 0) } == "404 Unknown connector: x")
                _ = try await herder.create("c", cluster.hold(), initialState: .stopped)
                #expect(await refusal { _ = try await herder.create("c", cluster.hold(), initialState: .started) } == "409 Connector c already exists")
                #expect(try await herder.status("c").connector.status.state == .stopped)
                #expect(await refusal { try await herder.restartTask("c", 0) } == "404 Unknown task: c-0")
                try await herder.resume("c")
                #expect(await refusal { _ = try await herder.resetOffsets("c") } == "400 \(ConnectorOffsets.mustBeStopped("c").message)")
                try await eventually { try await herder.taskStatus("c", 0).status.state == .running }
                try await herder.restartTask("c", 0)
                try await eventually { cluster.journal.entries.filter(\.isStart).count == 2 }
                // Only a change restarts.
                _ = try await herder.put("c", cluster.hold().reversed())
                _ = try await herder.patch("c", [(key: "note", value: "new")])
                try await eventually { cluster.journal.entries.filter(\.isStart).count == 3 }
            }
        }
    }

    /// A member that takes slots and claims none: what every worker is for a moment.
    @Test func whatARebalanceKeepsFromBeingAnsweredIs409InKafkasWords() async throws {
        try await withCluster { cluster in
            let member = try KafkaConsumer(
                KafkaSettings(
                    .consumer, KafkaConsumer.connectDefaults,
                    ["bootstrap.servers": cluster.bootstrapServers, "group.id": cluster.name, "session.timeout.ms": "6000", "heartbeat.interval.ms": "500"]))
            func refusal(_ body: () async throws -> Void) async -> String? {
                do { try await body() } catch let error as HerderError { return "\(error.status) \(error.message)" } catch { return "\(error)" }
                return nil
            }
            try await cluster.withWorker(1, makingTopics: false) { herder in
                _ = try await herder.create("c", cluster.hold(15), initialState: .started)
                try await eventually { cluster.journal.running.count == 15 }
                try await member.subscribe(["\(cluster.name)-sluice-slots"])
                let polling = Task {
                    while !Task.isCancelled {
                        for rebalance in await member.poll(timeout: .milliseconds(50)).rebalances { try await member.complete(rebalance) }
                    }
                }
                defer { polling.cancel() }
                try await eventually { await herder.owned.count == 8 }
                let slots = try #require(herder.store.config.read { $0["c"]?.tasks.slots })
                let owned = await herder.owned
                let gone = try #require(slots.firstIndex { owned[$0] == nil })
                #expect(
                    await refusal { try await herder.restartTask("c", gone) }
                        == "409 Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)")
                #expect(
                    await refusal { _ = try await herder.create("d", cluster.hold(), initialState: .started) }
                        == "409 Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.")
                let sentOnTwice = HTTPRequest(method: "PUT", target: "/connectors/c/stop?forward=false")
                #expect(
                    await refusal { _ = try await herder.forward(sentOnTwice, to: RequestForward(workerID: "127.0.0.1:1")) }
                        == "409 Cannot complete request because of a conflicting operation (e.g. worker rebalance)")
            }
            await member.close()
        }
    }

    @Test func aFailedTaskIsRestartedByRequestOnly() async throws {
        try await withCluster { cluster in
            try await cluster.withWorker(1, makingTopics: false) { herder in
                _ = try await herder.create("c", cluster.hold(2, ["fail": "true"]), initialState: .started)
                try await eventually { try await herder.status("c").tasks.map(\.status.state) == [.failed, .failed] }
                #expect(try await herder.taskStatus("c", 0).status.trace?.contains("It fails as it was told to") == true)
                let marked = try #require(try await herder.restart("c", includeTasks: true, onlyFailed: true))
                #expect(marked.tasks.map(\.status.state) == [.restarting, .restarting])
                #expect(marked.connector.status.state == .running)
                try await eventually { await herder.startups.taskAttempts == 4 }
                try await eventually { try await herder.status("c").tasks.map(\.status.state) == [.failed, .failed] }
            }
        }
    }

    @Test func slotsGrowWithTheTasks() async throws {
        try await withCluster { cluster in
            try await cluster.withWorker(1, makingTopics: false) { herder in
                _ = try await herder.create("a", cluster.hold(8), initialState: .started)
                _ = try await herder.create("b", cluster.hold(7), initialState: .started)
                try await eventually { cluster.journal.running.count == 15 }
                let slots = herder.store.config.read { $0.slotOwners }
                #expect(Set(slots.keys) == Set(1...15))
            }
        }
    }
}

/// Several workers on a real Apache Kafka (`KAFKA_HOME`): what the mock cannot show.
@Suite(.serialized, .enabled(if: KafkaBroker.isAvailable)) struct DistributedKafkaTests {
    private func withCluster(workers count: Int, _ more: [String: String] = [:], _ body: (TestCluster, [TestCluster.Worker]) async throws -> Void) async throws
    {
        try await withKafka { broker in
            try await withTemporaryDirectory { directory in
                let cluster = TestCluster(broker.bootstrapServers, directory: directory)
                var workers: [TestCluster.Worker] = []
                do {
                    for number in 1...count { workers.append(try await cluster.start(number, more)) }
                    try await body(cluster, workers)
                } catch {
                    for worker in workers { await worker.stop() }
                    throw error
                }
                for worker in workers { await worker.stop() }
                #expect(cluster.journal.running.isEmpty)
            }
        }
    }

    private func leader(of workers: [TestCluster.Worker]) async throws -> TestCluster.Worker {
        for _ in 0..<300 {
            for worker in workers where await worker.herder.leadership != nil { return worker }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw ConnectorError("test.leader", .stop, "Nobody leads")
    }

    /// As a client of any worker does: the lead may move while the group settles.
    private func create(_ name: String, _ config: [ConfigEntry], on workers: [TestCluster.Worker]) async throws {
        for _ in 0..<100 {
            do {
                _ = try await leader(of: workers).herder.create(name, config, initialState: .started)
                return
            } catch is RequestForward {
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    /// The contract of issue 3: adding a connector to 60 tasks on three workers stops no other task.
    @Test func aNewConnectorStopsNoOtherTaskAndLoadIsEven() async throws {
        try await withCluster(workers: 3) { cluster, workers in
            for i in 0..<15 { try await create("c\(i)", cluster.hold(4), on: workers) }
            try await eventually { cluster.journal.running.count == 60 }
            let load = Dictionary(grouping: cluster.journal.running.values.joined()) { $0 }.mapValues(\.count)
            #expect(load.count == 3 && load.values.allSatisfy { (14...26).contains($0) }, "\(load)")
            // Growing the slots may move some while the group settles; what is judged is what a new connector does.
            try await eventually { cluster.journal.running.values.allSatisfy { $0.count == 1 } }
            try await Task.sleep(for: .seconds(3))
            let before = cluster.journal.entries.count
            try await create("new", cluster.hold(4), on: workers)
            try await eventually { cluster.journal.running.count == 64 }
            try await Task.sleep(for: .seconds(2))
            let since = cluster.journal.entries.dropFirst(before)
            #expect(since.allSatisfy { $0.isStart && $0.task.connector == "new" }, "\(since)")
        }
    }

    @Test func anyWorkerAnswersAndForwards() async throws {
        try await withCluster(workers: 2) { cluster, workers in
            let follower = workers[1], url = "http://127.0.0.1:\(follower.rest.port)"
            func curl(_ method: String, _ path: String, _ body: String? = nil) throws -> (Int, String) {
                var arguments = ["-sS", "-m", "30", "-X", method, "-w", "\n%{http_code}", url + path]
                if let body { arguments += ["-H", "Content-Type: application/json", "--data-binary", body] }
                let output = try Subprocess.run("curl", arguments), cut = output.lastIndex(of: "\n")!
                return (Int(output[output.index(after: cut)...]) ?? 0, String(output[..<cut]))
            }
            let config = "\"connector.class\":\"Hold\",\"journal\":\"\(cluster.name)\",\"count\":\"4\",\"tasks.max\":\"4\""
            let created = try curl("POST", "/connectors", "{\"name\":\"c\",\"config\":{\(config)}}")
            #expect(created.0 == 201, "\(created)")
            // Read your writes, on the worker that was asked.
            #expect(try curl("GET", "/connectors/c").0 == 200)
            #expect(
                try curl("POST", "/connectors", "{\"name\":\"c\",\"config\":{\(config)}}") == (
                    409, #"{"error_code":409,"message":"Connector c already exists"}"#
                ))
            try await eventually { cluster.journal.running.count == 4 }
            let workersOfTasks = try await follower.herder.status("c").tasks.map(\.workerID)
            #expect(Set(workersOfTasks).count == 2, "the tasks are on both: \(workersOfTasks)")
            let starts = cluster.journal.entries.filter(\.isStart).count
            for task in 0..<4 { #expect(try curl("POST", "/connectors/c/tasks/\(task)/restart").0 == 204) }
            try await eventually { cluster.journal.entries.filter(\.isStart).count == starts + 4 }
            #expect(try curl("PUT", "/connectors/c/stop").0 == 204)
            try await eventually { cluster.journal.running.isEmpty }
            #expect(try curl("DELETE", "/connectors/c/offsets").0 == 200)
            #expect(try curl("DELETE", "/connectors/c").0 == 204)
            #expect(try curl("GET", "/connectors/c").0 == 404)
        }
    }

    /// Two workers with certificates of one signer, who want to see each other's.
    @Test func workersForwardOverTLS() async throws {
        try await withTemporaryDirectory { certificates in
            try RestSecurityTests.identities(in: certificates)
            let tls = [
                "listeners": "https://127.0.0.1:0", "listeners.https.ssl.keystore.type": "PEM",
                "listeners.https.ssl.keystore.location": certificates + "/server-keystore.pem",
                "listeners.https.ssl.truststore.type": "PEM", "listeners.https.ssl.truststore.location": certificates + "/ca.pem",
                "listeners.https.ssl.client.auth": "required",
            ]
            try await withCluster(workers: 2, tls) { cluster, workers in
                _ = try await leader(of: workers)
                for (number, worker) in workers.enumerated() {
                    func curl(_ method: String, _ path: String, _ body: String? = nil) throws -> (Int, String) {
                        let url = "https://127.0.0.1:\(worker.rest.port)" + path
                        var arguments = ["-sS", "-m", "30", "-X", method, "-w", "\n%{http_code}", "--cacert", certificates + "/ca.pem", url]
                        arguments += ["--cert", certificates + "/client.pem", "--key", certificates + "/client.key"]
                        if let body { arguments += ["-H", "Content-Type: application/json", "--data-binary", body] }
                        let output = try Subprocess.run("curl", arguments), cut = output.lastIndex(of: "\n")!
                        return (Int(output[output.index(after: cut)...]) ?? 0, String(output[..<cut]))
                    }
                    let name = "c\(number)"
                    let created = try curl("POST", "/connectors", #"{"name":"\#(name)","config":{"connector.class":"Hold","journal":"\#(cluster.name)"}}"#)
                    // One of the two does not lead, and has it done by the other.
                    #expect(created.0 == 201, "\(created)")
                    try await eventually { cluster.journal.running.count == number + 1 }
                    #expect(try curl("POST", "/connectors/\(name)/tasks/0/restart").0 == 204)
                }
            }
            // A worker that trusts others cannot ask: it says so.
            let config = try WorkerConfig(file: tls.merging(["listeners.https.ssl.truststore.location": certificates + "/client.pem"]) { $1 })
            let server = try RestServer(ModelHerder(), RestOptions(try WorkerConfig(file: tls))), serving = Task { await server.run() }
            let request = HTTPRequest(method: "GET", target: "/connectors")
            let error = await #expect(throws: HerderError.self) {
                try await RequestForwarder(config).forward(request, to: RequestForward(workerID: "127.0.0.1:\(server.port)"))
            }
            #expect(error?.status == 500 && error?.message.contains("certificate") == true, "\(String(describing: error))")
            server.stop()
            await serving.value
        }
    }

    @Test func tasksMoveWhenAWorkerLeavesAndComes() async throws {
        try await withCluster(workers: 2) { cluster, workers in
            try await create("c", cluster.hold(6), on: workers)
            try await eventually { cluster.journal.running.count == 6 }
            let leader = try await leader(of: workers), other = workers.first { $0.number != leader.number }!
            // The leader goes in order: the other has everything at once.
            await leader.herder.shutDown()
            let name = "worker-\(other.number)"
            try await eventually { cluster.journal.running.count == 6 && Set(cluster.journal.running.values.joined()) == [name] }
            try await eventually { await other.herder.leadership != nil }
            try await cluster.withWorker(3) { herder in
                try await eventually { Set(cluster.journal.running.values.joined()) == [name, "worker-3"] && cluster.journal.running.count == 6 }
                try await eventually { try await herder.status("c").tasks.allSatisfy { $0.status.state == .running } }
            }
            // Never two of a task.
            var running: [TaskID: Int] = [:]
            for entry in cluster.journal.entries {
                running[entry.task, default: 0] += entry.isStart ? 1 : -1
                #expect(running[entry.task]! <= 1, "\(entry)")
            }
        }
    }
}
