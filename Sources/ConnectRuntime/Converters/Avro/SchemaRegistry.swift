import Avro
import ConnectAPI
import JSON
import Transport

/// The exchange with a schema registry: Confluent's REST API, which Apicurio and Karapace speak, too.
///
/// Every call is one question outside the data path, on a thread of its own; what it answers never changes and is kept by the caller. A registry that
/// does not answer is tried again, then the next address of the list; errors that pass are `.retry`, those about one schema `.reject`.
/// Source: docs.confluent.io, Schema Registry API Reference.
final class SchemaRegistry: Sendable {
    private let settings: Settings
    private let transport = HTTPTransport()
    private let pool = BlockingPool(threads: 1)

    struct Settings: Sendable {
        /// Without credentials and without a slash at the end.
        var urls: [String]
        /// The value of `Authorization` for each URL.
        var authorizations: [String?]
        var headers: [(name: String, value: String)]
        var tls: HTTPTLS
        var connectTimeout: Int
        var readTimeout: Int
        var retries: Int
        var retryWait: Int
        var retryMaximum: Int
        var normalizes: Bool
    }

    init(_ settings: Settings) { self.settings = settings }

    deinit { pool.stop() }

    // MARK: Questions

    /// The type with this id, and its text with references as the registry has it.
    func type(id: Int32) async throws -> (AvroType, document: JSONValue) {
        let answer = try await ask("GET", "/schemas/ids/\(id)")
        let parts = ["schema", "references"].compactMap { key in answer[key].map { (key, $0) } }
        return (try await type(in: answer, what: "id \(id)"), .object(parts))
    }

    /// The version of a schema in a subject; nil when the subject does not have it.
    func version(of document: JSONValue, subject: String) async throws -> Int? {
        do {
            let answer = try await ask("POST", "/subjects/\(PercentEncoding.encode(subject))?deleted=true\(normalize("&"))", document.compactBytes)
            return answer["version"]?.integerValue.map { Int($0) }
        } catch let error as ConnectorError where error.code == Code.unknown {
            return nil
        }
    }

    /// The id of a schema in a subject. Throws `avro.schema_unknown` when the subject does not have it.
    func id(of schema: [UInt8], subject: String) async throws -> Int32 {
        try Self.id(try await ask("POST", "/subjects/\(PercentEncoding.encode(subject))\(normalize("?"))", Self.body(schema)))
    }

    /// Registers a schema, if the subject does not have it. Throws `avro.schema_incompatible` where its rules are broken.
    func register(_ schema: [UInt8], subject: String) async throws -> Int32 {
        try Self.id(try await ask("POST", "/subjects/\(PercentEncoding.encode(subject))/versions\(normalize("?"))", Self.body(schema)))
    }

    func latest(subject: String) async throws -> (id: Int32, type: AvroType) {
        let answer = try await ask("GET", "/subjects/\(PercentEncoding.encode(subject))/versions/latest")
        return (try Self.id(answer), try await type(in: answer, what: "the latest version of \(subject)"))
    }

    // MARK: Answers

    private func type(in answer: JSONValue, what: String) async throws -> AvroType {
        if let kind = answer["schemaType"]?.stringValue, kind != "AVRO" {
            throw ConnectorError("avro.not_avro", .reject, "The schema with \(what) is of type \(kind), and this converter reads AVRO")
        }
        guard let text = answer["schema"]?.stringValue else { throw Self.odd("an answer without a schema") }
        var seen: Set<String> = []
        let references = try await references(in: answer, &seen)
        do {
            return try AvroType.parse(text.utf8, references: references)
        } catch {
            throw ConnectorError(error.code, error.disposition, "The schema with \(what): \(error.message)", hint: error.hint)
        }
    }

    /// The texts of all schemas referred to, those without references of their own first.
    private func references(in answer: JSONValue, _ seen: inout Set<String>) async throws -> [[UInt8]] {
        var texts: [[UInt8]] = []
        for reference in answer["references"]?.arrayValue ?? [] {
            guard let subject = reference["subject"]?.stringValue, let version = reference["version"]?.integerValue else {
                throw Self.odd("a reference without a subject")
            }
            guard seen.insert("\(subject) \(version)").inserted else { continue }
            let inner = try await ask("GET", "/subjects/\(PercentEncoding.encode(subject))/versions/\(version)?deleted=true")
            guard let text = inner["schema"]?.stringValue else { throw Self.odd("an answer without a schema") }
            texts += try await references(in: inner, &seen)
            texts.append(Array(text.utf8))
        }
        return texts
    }

    private static func id(_ answer: JSONValue) throws -> Int32 {
        guard let id = answer["id"]?.integerValue.flatMap({ Int32(exactly: $0) }) else { throw odd("an answer without an id") }
        return id
    }

    private static func odd(_ what: String) -> ConnectorError {
        ConnectorError(
            "avro.registry_odd", .stop, "The schema registry gave \(what)", hint: "Is schema.registry.url the address of a registry's Confluent API?")
    }

    private static func body(_ schema: [UInt8]) -> [UInt8] {
        JSONValue.object([("schema", .string(String(decoding: schema, as: UTF8.self)))]).compactBytes
    }

    private func normalize(_ mark: String) -> String { settings.normalizes ? mark + "normalize=true" : "" }

    // MARK: Requests

    private enum Code { static let unknown = "avro.schema_unknown" }

    private static let media = "application/vnd.schemaregistry.v1+json"

    /// Asks every address in turn, `max.retries` times more.
    private func ask(_ method: String, _ path: String, _ body: [UInt8] = []) async throws -> JSONValue {
        var backoff = Backoff(initial: .milliseconds(settings.retryWait), maximum: .milliseconds(settings.retryMaximum))
        var failure: ConnectorError?
        for attempt in 0...settings.retries {
            if attempt > 0 { try await Task.sleep(for: backoff.next()) }
            for (url, authorization) in zip(settings.urls, settings.authorizations) {
                var request = Transport.HTTPRequest(method: method, url: url + path, headers: [("Accept", "\(Self.media), application/json")], body: body)
                if !body.isEmpty { request.headers.append(("Content-Type", Self.media)) }
                if let authorization { request.headers.append(("Authorization", authorization)) }
                request.headers += settings.headers
                request.tls = settings.tls
                request.connectTimeoutMilliseconds = settings.connectTimeout
                request.timeoutMilliseconds = settings.connectTimeout + settings.readTimeout
                do {
                    let answer = try await pool.run { [transport, request] cancel in try transport.perform(request, cancel: cancel) }
                    return try Self.read(answer, at: url, asked: "\(method) \(path)")
                } catch let error as TransportError {
                    failure = ConnectorError("avro.registry_unreachable", .retry, "The schema registry at \(url) does not answer: \(error.description)")
                } catch let error as ConnectorError where error.disposition == .retry {
                    failure = error
                }
            }
        }
        throw failure ?? ConnectorError("avro.registry_unreachable", .retry, "There is no address of a schema registry")
    }

    /// What an answer says, or why it says nothing.
    private static func read(_ answer: Transport.HTTPResponse, at url: String, asked: String) throws -> JSONValue {
        let json = try? JSONValue.parse(answer.body)
        if answer.status / 100 == 2, let json { return json }
        let code = json?["error_code"]?.integerValue, said = json?["message"]?.stringValue.map { ": " + $0.prefix(500) } ?? ""
        let what = "The schema registry at \(url) answered \(asked) with \(answer.status)\(code.map { " (\($0))" } ?? "")\(said)"
        switch answer.status {
        case 401, 403:
            throw ConnectorError("avro.registry_denied", .stop, what, hint: "Check basic.auth.* or bearer.auth.* of the converter, and what the user may do")
        case 404 where code.map { $0 / 100 == 404 } == true: throw ConnectorError(Code.unknown, .reject, what)
        case 409:
            throw ConnectorError(
                "avro.schema_incompatible", .reject, what,
                hint: "The subject's compatibility does not allow this change: change the table in a compatible way, or the subject's compatibility")
        case 422: throw ConnectorError("avro.schema_refused", .reject, what)
        case 408, 429, 500...599: throw ConnectorError("avro.registry_busy", .retry, what)
        default: throw ConnectorError("avro.registry_odd", .stop, what, hint: "Is schema.registry.url the address of a registry's Confluent API?")
        }
    }
}

extension SchemaRegistry.Settings {
    /// Throws where a file of certificates cannot be read.
    init(_ configuration: AvroConverter.Configuration) throws {
        var urls: [String] = [], authorizations: [String?] = []
        for given in configuration.urls where !given.isEmpty {
            let (url, user) = Self.parts(given)
            urls.append(url)
            // Bearer and user info before what the address says.
            if let token = configuration.token, configuration.bearerSource != nil {
                authorizations.append("Bearer \(token.value)")
            } else if configuration.basicSource.uppercased() == "USER_INFO", let info = configuration.userInfo {
                authorizations.append("Basic \(Base64.encode(Array(info.value.utf8)))")
            } else {
                authorizations.append(user.map { "Basic \(Base64.encode($0))" })
            }
        }
        var tls = HTTPTLS()
        func text(_ file: String?) throws -> String? {
            guard let file, !file.isEmpty else { return nil }
            return String(decoding: try WorkerFile.read(file), as: UTF8.self)
        }
        tls.authorities = try text(configuration.trustStore)
        tls.certificates = try text(configuration.keyStore)
        tls.key = tls.certificates.map { Secret($0) }
        tls.keyPassword = configuration.keyPassword
        tls.verifiesHost = !configuration.endpointIdentification.isEmpty
        self.init(
            urls: urls, authorizations: authorizations, headers: configuration.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, tls: tls,
            connectTimeout: configuration.connectTimeout, readTimeout: configuration.readTimeout, retries: configuration.retries,
            retryWait: configuration.retryWait, retryMaximum: configuration.retryMaximum, normalizes: configuration.normalizes)
    }

    /// An address without its user, and the user with password.
    private static func parts(_ url: String) -> (url: String, user: [UInt8]?) {
        var url = url[...]
        while url.hasSuffix("/") { url = url.dropLast() }
        let text = String(url)
        guard let scheme = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false).first, scheme.count < text.count else {
            return (text, nil)
        }
        let rest = text.dropFirst(scheme.count + 3), host = rest.prefix { $0 != "/" }
        guard let at = host.lastIndex(of: "@") else { return (text, nil) }
        return ("\(scheme)://\(rest[rest.index(after: at)...])", PercentEncoding.decode(host[..<at]).map { Array($0.utf8) } ?? Array(host[..<at].utf8))
    }
}
