import ConnectAPI
import JSON

/// Basic authentication of the REST API, configured as for Kafka Connect's `BasicAuthSecurityRestExtension`: a JAAS file whose entry `KafkaConnect` names
/// a properties file of users and passwords.
///
///     KafkaConnect {
///         org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule required
///         file="/etc/sluice/users.properties";
///     };
///
/// Every route asks for it, but for those that workers call among each other, which are signed.
package struct BasicAuthentication: Sendable {
    package static let extensionClass = "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension"
    private static let loginModule = "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule"

    private let users: [String: Secret]

    /// Reads the JAAS file and the users it leads to. Throws `worker.basic_auth`.
    package init(jaasFile path: String) throws {
        func refuse(_ message: String, _ hint: String) -> ConnectorError { ConnectorError("worker.basic_auth", .stop, message, hint: hint) }
        let entries = try JaasFile.parse(String(decoding: try WorkerFile.read(path), as: UTF8.self), file: path)
        guard let modules = entries["KafkaConnect"], let module = modules.first else {
            throw refuse("\(path) has no entry KafkaConnect", "Write KafkaConnect { \(Self.loginModule) required file=\"USERS\"; };")
        }
        guard modules.count == 1, module.className == Self.loginModule else {
            throw refuse("The entry KafkaConnect of \(path) uses \(module.className)", "The only login module there is here is \(Self.loginModule)")
        }
        guard let file = module.options["file"] else { throw refuse("The login module of \(path) names no file", "Add file=\"USERS\"") }
        let lines = try JavaProperties.parse(try WorkerFile.read(file), file: file)
        // Kafka Connect admits everybody then, which nobody wants.
        guard !lines.isEmpty else { throw refuse("\(file) holds no user", "Write one line a user: name=password") }
        users = Dictionary(lines.map { ($0.key, Secret($0.value)) }, uniquingKeysWith: { $1 })
    }

    /// The answer to a request that is not admitted; nil: it is.
    func refusal(of request: HTTPRequest) -> HTTPResponse? {
        if Self.isInternal(request) || isAdmitted(request.header("authorization")) { return nil }
        return HTTPResponse(
            401, type: "text/plain", Array("User cannot access the resource.".utf8), headers: [("WWW-Authenticate", "Basic realm=\"Kafka Connect\"")])
    }

    private func isAdmitted(_ header: String?) -> Bool {
        guard let header else { return false }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "basic", let bytes = Base64.decode(parts[1].trimmingSpaces().utf8),
            let colon = bytes.firstIndex(of: UInt8(ascii: ":")), let user = String(validating: bytes[..<colon], as: UTF8.self), let known = users[user]
        else { return false }
        // Every byte is looked at, whatever the others are.
        let given = Array(bytes[(colon + 1)...]), wanted = Array(known.value.utf8)
        var difference = given.count ^ wanted.count
        for i in given.indices { difference |= Int(given[i] ^ (i < wanted.count ? wanted[i] : 0)) }
        return difference == 0
    }

    /// `POST /connectors/NAME/tasks` and `PUT /connectors/NAME/fence`.
    private static func isInternal(_ request: HTTPRequest) -> Bool {
        let path = request.rawPath.split(separator: "/")
        guard path.count == 3, path[0] == "connectors" else { return false }
        return (request.method == "POST" && path[2] == "tasks") || (request.method == "PUT" && path[2] == "fence")
    }
}
