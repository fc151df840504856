import ConnectAPI
import Foundation
import Testing

@testable import ConnectRuntime

enum Secrets {
    static func write(_ text: String, _ path: String) throws { try text.write(toFile: path, atomically: true, encoding: .utf8) }
}

@Suite struct WatcherTests {
    private func file(_ directory: String, _ name: String, _ text: String) throws { try Secrets.write(text, directory + "/c.d/" + name) }

    private func withDirectory(_ world: World, _ body: (StandaloneHerder, String) async throws -> Void) async throws {
        try FileManager.default.createDirectory(atPath: world.directory + "/c.d", withIntermediateDirectories: true)
        try await withWorker(world) { herder in
            let directory = ConnectorsDirectory(path: world.directory + "/c.d", herder: herder)
            await directory.load()
            let watching = Task { await directory.watch() }
            do {
                try await body(herder, world.directory)
                watching.cancel()
                await watching.value
            } catch {
                watching.cancel()
                await watching.value
                throw error
            }
        }
    }

    @Test func filesBecomeConnectorsInEachOfTheThreeForms() async throws {
        let world = World()
        try FileManager.default.createDirectory(atPath: world.directory + "/c.d", withIntermediateDirectories: true)
        try file(
            world.directory, "a.json", #"{"name": "wrapped", "config": {"connector.class": "Count", "until": 3, "topic": "a"}, "initial_state": "PAUSED"}"#)
        try file(world.directory, "flat.json", #"{"connector.class": "Count", "until": "3", "topic": "b"}"#)
        try file(world.directory, "c.properties", "name=props\nconnector.class=Count\nuntil=3\ntopic=c\n")
        try file(world.directory, ".hidden.json", "{")
        try file(world.directory, "notes.txt", "not a connector")
        try await withDirectory(world) { herder, _ in
            #expect(await herder.connectors() == ["flat", "props", "wrapped"])
            let wrapped = try await herder.status("wrapped")
            #expect(wrapped.connector.status.state == .paused)
        }
    }

    @Test func aChangeReconfiguresABadFileChangesNothingAndARemovedFileDeletes() async throws {
        let world = World()
        try await withDirectory(world) { herder, directory in
            try file(directory, "a.json", #"{"name": "a", "config": {"connector.class": "Count", "until": "3", "topic": "a"}}"#)
            try await eventually { await herder.connectors() == ["a"] }
            try file(directory, "a.json", #"{"name": "a", "config": {"connector.class": "Count", "until": "9", "topic": "a"}}"#)
            try await eventually { try await herder.info("a").config.contains(ConfigEntry("until", "9")) }
            try file(directory, "a.json", #"{"name": "a", "config": {"connector.class": "Count", "until": "#)
            try await Task.sleep(for: .milliseconds(1300))
            #expect(try await herder.info("a").config.contains(ConfigEntry("until", "9")))
            // Under another file name it is the same connector.
            try file(directory, "b.json", #"{"name": "a", "config": {"connector.class": "Count", "until": "12", "topic": "a"}}"#)
            try FileManager.default.removeItem(atPath: directory + "/c.d/a.json")
            try await eventually { try await herder.info("a").config.contains(ConfigEntry("until", "12")) }
            try FileManager.default.removeItem(atPath: directory + "/c.d/b.json")
            try await eventually { await herder.connectors().isEmpty }
        }
    }

    @Test func aFileThatWentWhileTheWorkerWasAwayTakesItsConnectorWithIt() async throws {
        let world = World()
        try await withDirectory(world) { herder, directory in
            try file(directory, "a.json", #"{"name": "a", "config": {"connector.class": "Count", "until": "3", "topic": "a"}}"#)
            try await eventually { await herder.connectors() == ["a"] }
            _ = try await herder.create("rest", entries(["connector.class": "Count", "until": "3", "topic": "r"]), initialState: .started)
        }
        try FileManager.default.removeItem(atPath: world.directory + "/c.d/a.json")
        try await withDirectory(world) { herder, _ in #expect(await herder.connectors() == ["rest"]) }
    }

    @Test func findingsNameTheLineOfTheirKey() throws {
        let file = try ConnectorFile(path: "x/y.json", text: Array("{\n  \"connector.class\": \"Count\",\n  \"until\": \"x\"\n}".utf8))
        #expect(file.name == "y")
        #expect(file.place(of: "until") == "x/y.json:3")
        #expect(file.place(of: "absent") == "x/y.json")
        let error = #expect(throws: ConnectorError.self) { try ConnectorFile(path: "f.json", text: Array("{\"a\": 1,\n \"b\" 2}".utf8)) }
        #expect(error?.message.hasPrefix("f.json:2:") == true)
        let nested = #expect(throws: ConnectorError.self) { try ConnectorFile(path: "f.json", text: Array("{\"a\": {\"b\": 1}}".utf8)) }
        #expect(nested?.message == "f.json: the value of \"a\" is an object or a list")
    }
}
