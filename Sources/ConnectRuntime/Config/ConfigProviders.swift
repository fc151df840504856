import ConnectAPI
import Glibc
import JavaRegex

/// Resolves `${provider:path:key}` in configuration values: `${file:/run/secrets/db.properties:password}`, `${env:PGPASSWORD}`,
/// `${dir:/run/secrets:password}`. What was resolved is used and never shown: REST answers with the text as it was written (Invariant 10).
///
/// Without `config.providers` the three are there as `file`, `env` and `dir`; with it, exactly those it names are. An unknown provider
/// and a missing key leave the text as it is, as Kafka Connect does.
package struct ConfigProviders: Sendable {
    private enum Kind {
        case file(allowed: [String])
        case environment(allowed: JavaPattern?)
        case directory(allowed: [String])
    }

    private var providers: [String: Kind] = [:]
    private let log = Logger("sluice.config")

    /// From the worker's `config.providers` and `config.providers.NAME.…`.
    package init(_ worker: [String: String]) throws {
        let names = [String](configText: worker["config.providers"] ?? "")?.filter { !$0.isEmpty } ?? []
        guard !names.isEmpty else {
            providers = ["file": .file(allowed: []), "env": .environment(allowed: nil), "dir": .directory(allowed: [])]
            return
        }
        for name in names {
            let prefix = "config.providers.\(name)."
            let paths = [String](configText: worker[prefix + "param.allowed.paths"] ?? "")?.filter { !$0.isEmpty } ?? []
            switch worker[prefix + "class"]?.split(separator: ".").last.map(String.init) {
            case "FileConfigProvider": providers[name] = .file(allowed: paths)
            case "EnvVarConfigProvider":
                providers[name] = .environment(allowed: try worker[prefix + "param.allowlist.pattern"].map { try JavaPattern($0.trimmingSpaces()) })
            case "DirectoryConfigProvider": providers[name] = .directory(allowed: paths)
            case let other:
                throw ConnectorError(
                    "worker.config_provider", .stop, "\(prefix)class is \(other ?? "not set"), which is no config provider",
                    hint: "Use FileConfigProvider, EnvVarConfigProvider or DirectoryConfigProvider of org.apache.kafka.common.config.provider")
            }
        }
    }

    /// Every value with its references resolved. Throws when a file cannot be read.
    package func resolve(_ config: [String: String]) throws -> [String: String] {
        var files: [String: [String: String]] = [:]
        return try config.mapValues { try $0.contains("${") ? resolve($0, &files) : $0 }
    }

    /// References that stay as they are, though their provider is known, and why, by key: mostly a variable that is not set.
    func unresolved(_ config: [String: String]) -> [Diagnostic] {
        guard let resolved = try? resolve(config) else { return [] }
        return resolved.sorted { $0.key < $1.key }.flatMap { key, text in
            text.indices.compactMap { start in
                guard text[start] == "$", let (reference, _) = Self.reference(in: text[start...]), let provider = providers[reference.provider] else {
                    return nil
                }
                return Diagnostic(key, reason(reference, provider))
            }
        }
    }

    private func reason(_ reference: Reference, _ provider: Kind) -> String {
        switch provider {
        case .environment(let allowed):
            reference.path.isEmpty && (try? allowed?.matches(reference.key)) ?? true
                ? "the environment variable \(reference.key) is not set" : "the environment variable \(reference.key) may not be read"
        case .file: "the file '\(reference.path)' has no key '\(reference.key)', or may not be read"
        case .directory: "there is no file '\(reference.key)' in '\(reference.path)', or it may not be read"
        }
    }

    private func resolve(_ text: String, _ files: inout [String: [String: String]]) throws -> String {
        var out = "", rest = text[...]
        while let start = rest.firstIndex(of: "$") {
            out += rest[..<start]
            rest = rest[start...]
            if let (reference, end) = Self.reference(in: rest), let value = try value(of: reference, &files) {
                out += value
                rest = rest[end...]
            } else {
                out += "$"
                rest = rest.dropFirst()
            }
        }
        return out + rest
    }

    struct Reference: Hashable {
        let provider: String
        let path: String
        let key: String
    }

    /// The reference a text begins with, as the expression `\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}` finds it, and where it ends.
    static func reference(in text: Substring) -> (Reference, end: Substring.Index)? {
        guard text.hasPrefix("${"), let close = text.firstIndex(of: "}") else { return nil }
        let parts = text[text.index(text.startIndex, offsetBy: 2)..<close].split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2 else { return nil }
        let reference = Reference(
            provider: String(parts[0]), path: parts.count == 3 ? String(parts[1]) : "", key: String(parts[parts.count - 1]))
        return (reference, text.index(after: close))
    }

    private func value(of reference: Reference, _ files: inout [String: [String: String]]) throws -> String? {
        switch providers[reference.provider] {
        case nil: return nil
        case .environment(let allowed):
            guard reference.path.isEmpty, try allowed?.matches(reference.key) ?? true else { return nil }
            return unsafe getenv(reference.key).map { unsafe String(cString: $0) }
        case .file(let allowed):
            guard isAllowed(reference.path, allowed) else { return nil }
            if files[reference.path] == nil {
                let entries: [JavaProperties.Entry]
                do {
                    entries = try JavaProperties.parse(try WorkerFile.read(reference.path), file: reference.path)
                } catch let error as ConnectorError {
                    throw ConnectorError("config.provider", .stop, "Could not read properties from file \(reference.path)", hint: error.message)
                }
                files[reference.path] = Dictionary(entries.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
            }
            return files[reference.path]?[reference.key]
        case .directory(let allowed):
            // The key is a file of the directory itself, not a way out of it.
            guard isAllowed(reference.path, allowed), !reference.key.contains("/"), reference.key != ".." else { return nil }
            let path = reference.path + "/" + reference.key
            guard WorkerFile.exists(path) else { return nil }
            return String(decoding: try WorkerFile.read(path), as: UTF8.self)
        }
    }

    private func isAllowed(_ path: String, _ allowed: [String]) -> Bool {
        guard !path.isEmpty else { return false }
        if allowed.isEmpty { return true }
        let inside = !path.split(separator: "/").contains("..") && allowed.contains { path == $0 || path.hasPrefix($0.hasSuffix("/") ? $0 : $0 + "/") }
        if !inside { log.warn("The path \(path) is not among the allowed paths of its config provider; the reference stays unresolved") }
        return inside
    }
}
