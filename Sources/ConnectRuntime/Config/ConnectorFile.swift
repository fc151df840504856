import ConnectAPI
import JSON

/// A connector's configuration in a file: `{"name", "config"}`, a flat JSON object, or Java properties, as `connect-standalone` takes them.
package struct ConnectorFile: Sendable {
    package let path: String
    package let name: String
    package let config: [ConfigEntry]
    package let initialState: TargetState
    private let text: [UInt8]

    /// Throws `config.malformed` with file, line and column.
    package init(path: String) throws { try self.init(path: path, text: try WorkerFile.read(path)) }

    package init(path: String, text: [UInt8]) throws {
        self.path = path
        self.text = text
        var entries: [ConfigEntry]
        var name: String?, state = TargetState.started
        if text.first(where: { $0 > 32 && $0 != 0xEF && $0 != 0xBB && $0 != 0xBF }) == UInt8(ascii: "{") {
            let object = try Self.object(text, path)
            if let config = object["config"]?.objectValue {
                entries = try Self.entries(config, path)
                name = object["name"]?.scalarText
                if let given = object["initial_state"]?.stringValue { state = try Self.state(given, path) }
            } else {
                entries = try Self.entries(object, path)
            }
        } else {
            entries = []
            for entry in try JavaProperties.parse(text, file: path) {
                entries.removeAll { $0.key == entry.key }
                entries.append(ConfigEntry(entry.key, entry.value))
            }
        }
        let stem = path.split(separator: "/").last.map { file in file.lastIndex(of: ".").map { file[..<$0] } ?? file } ?? ""
        self.name = name ?? entries.first { $0.key == "name" }?.value ?? String(stem)
        config = entries
        initialState = state
    }

    /// Where a key stands, as `file:line`; the file alone when it is not in it.
    package func place(of key: String) -> String {
        let quoted = "\"\(key)\""
        for (i, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let line = String(decoding: line, as: UTF8.self).trimmingSpaces()
            if line.contains(quoted) { return "\(path):\(i + 1)" }
            if line.hasPrefix(key), let next = line.dropFirst(key.count).first, " =:\t".contains(next) { return "\(path):\(i + 1)" }
        }
        return path
    }

    private static func object(_ text: [UInt8], _ path: String) throws -> JSONObject {
        let parsed: JSONValue
        do {
            parsed = try JSONValue.parse(text.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(text.dropFirst(3)) : text)
        } catch {
            throw ConnectorError("config.malformed", .stop, "\(path):\(error.line):\(error.column): \(error.message)")
        }
        guard let object = parsed.objectValue else { throw ConnectorError("config.malformed", .stop, "\(path): the document is no JSON object") }
        return object
    }

    /// Numbers and booleans as their text; anything nested is refused.
    private static func entries(_ object: JSONObject, _ path: String) throws -> [ConfigEntry] {
        try object.members.map { member in
            guard let value = member.value.scalarText else {
                throw ConnectorError(
                    "config.malformed", .stop,
                    "\(path): the value of \"\(member.key)\" is \(member.value.isNull ? "null" : "an object or a list")", hint: "Write it as a string")
            }
            return ConfigEntry(member.key, value)
        }
    }

    private static func state(_ text: String, _ path: String) throws -> TargetState {
        switch text.uppercased() {
        case "RUNNING": return .started
        case "PAUSED": return .paused
        case "STOPPED": return .stopped
        default: throw ConnectorError("config.malformed", .stop, "\(path): initial_state is \(text), not RUNNING, PAUSED or STOPPED")
        }
    }
}

extension WorkerConfig {
    /// A worker file as flat values: Java properties, or a JSON object.
    package static func read(_ path: String) throws -> [String: String] {
        let file = try ConnectorFile(path: path)
        return Dictionary(file.config.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    }
}
