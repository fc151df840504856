import ConnectAPI
import Transport

/// Credentials of an EC2 instance's role, by version 2 of the metadata service: a session token first, then the role's name, then its keys.
struct InstanceCredentials: Sendable {
    private let isDisabled: Bool
    private let endpoint: String

    init(value: (String) -> String?) {
        isDisabled = value("AWS_EC2_METADATA_DISABLED")?.lowercased() == "true"
        var endpoint = value("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? "http://169.254.169.254"
        if endpoint.hasSuffix("/") { endpoint.removeLast() }
        self.endpoint = endpoint
    }

    /// nil: this is no EC2 instance, or it has no role.
    func find(_ http: CredentialHTTP) async throws -> FoundCredentials? {
        if isDisabled { return nil }
        let source = "the instance's metadata at \(endpoint)"
        func get(_ path: String, _ token: String) async throws -> HTTPResponse {
            try await http.ask(
                HTTPRequest(method: "GET", url: endpoint + path, headers: [("X-aws-ec2-metadata-token", token)]), source, timeout: 1000, connectTimeout: 1000)
        }
        let session: HTTPResponse
        do {
            let request = HTTPRequest(method: "PUT", url: endpoint + "/latest/api/token", headers: [("X-aws-ec2-metadata-token-ttl-seconds", "21600")])
            session = try await http.ask(request, source, timeout: 1000, connectTimeout: 1000)
        } catch is ConnectorError {
            return nil
        }
        guard session.status == 200 else { return nil }
        let token = String(decoding: session.body, as: UTF8.self).trimmingSpaces(), path = "/latest/meta-data/iam/security-credentials/"
        let roles = try await get(path, token)
        let role = String(decoding: roles.body, as: UTF8.self).split(whereSeparator: \.isNewline).first.map(String.init)
        guard roles.status == 200, let role else { return nil }
        let answer = try await get(path + PercentCoding.encode(role), token)
        guard answer.status == 200 else {
            throw ConnectorError("s3.credentials_unavailable", .retry, "\(source) refused the role \(role) with \(answer.status)")
        }
        return try CredentialAnswer.read(answer.body, source: "\(source), role \(role)")
    }
}
