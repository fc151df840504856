import ConnectAPI
import Transport

/// Credentials that ECS and EKS Pod Identity give a container, over a loopback or link-local address.
struct ContainerCredentials: Sendable {
    private let relative: String?
    private let full: String?
    private let token: String?
    private let tokenFile: String?

    init(value: (String) -> String?) {
        relative = value("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        full = value("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        token = value("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        tokenFile = value("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    }

    var isConfigured: Bool { relative != nil || full != nil }

    func find(_ http: CredentialHTTP) async throws -> FoundCredentials {
        guard let url = relative.map({ "http://169.254.170.2" + $0 }) ?? full else {
            throw ConnectorError("s3.credentials_missing", .stop, "There is no AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI")
        }
        guard url.hasPrefix("https://") || Self.isLocal(url) else {
            throw ConnectorError(
                "s3.credentials_unavailable", .stop, "AWS_CONTAINER_CREDENTIALS_FULL_URI names neither https nor an address of this host: \(url)")
        }
        var headers: [(name: String, value: String)] = []
        if let authorization = tokenFile.flatMap({ SmallFile.read($0, limit: 1 << 16) }).map({ String(decoding: $0, as: UTF8.self).trimmingSpaces() }) ?? token
        {
            headers.append(("Authorization", authorization))
        }
        let source = "the container's endpoint \(url)"
        let response = try await http.ask(HTTPRequest(method: "GET", url: url, headers: headers), source)
        guard response.status == 200 else {
            throw ConnectorError(
                "s3.credentials_refused", .stop, "\(source) refused with \(response.status)", hint: "Check the task's or pod's role and its token")
        }
        return try CredentialAnswer.read(response.body, source: source)
    }

    /// Where a token may go without encryption: loopback, and the addresses of ECS and EKS.
    static func isLocal(_ url: String) -> Bool {
        guard url.hasPrefix("http://") else { return false }
        let rest = url.dropFirst(7)
        if rest.hasPrefix("[::1]") || rest.hasPrefix("[fd00:ec2::23]") { return true }
        let host = rest.prefix { $0 != "/" && $0 != ":" }
        if host.hasPrefix("127.") { return host.split(separator: ".").allSatisfy { UInt8($0) != nil } }
        return host == "localhost" || host == "169.254.170.2" || host == "169.254.170.23"
    }
}
