import ConnectAPI
import Transport

/// A role to take on.
struct AssumedRole: Sendable, Equatable {
    var arn: String
    var sessionName = "sluice"
    var externalID: String?
    /// Seconds.
    var duration: Int?
}

/// AWS's Security Token Service: credentials of a role for an hour or so.
struct STS: Sendable {
    let region: String
    let endpoint: String?

    private var url: String { endpoint ?? "https://sts.\(region).amazonaws.com\(region.hasPrefix("cn-") ? ".cn" : "")" }

    /// With credentials that may take it on.
    func assume(_ role: AssumedRole, with base: FoundCredentials, _ http: CredentialHTTP) async throws -> FoundCredentials {
        let body = form("AssumeRole", role, [])
        let endpoint = try S3Endpoint(url: url, bucket: "", pathStyle: true)
        let headers = SigV4(credentials: base.credentials, region: region, service: "sts").sign(
            SigV4.Request(
                method: "POST", path: "/", host: endpoint.host(region: region), headers: [("Content-Type", Self.formType)],
                payloadHash: Digest.hex(Digest.sha256(body))), at: WallClock.milliseconds / 1000)
        return try await send(body, headers, role, "\(base.source), for the role \(role.arn)", http)
    }

    /// With a token of another identity provider, read from its file every time: Kubernetes renews it there.
    func assume(_ role: AssumedRole, webIdentityIn file: String, _ http: CredentialHTTP) async throws -> FoundCredentials {
        guard let token = SmallFile.read(file, limit: 1 << 16) else {
            throw ConnectorError(
                "s3.credentials_unavailable", .stop, "The web identity token in \(file) cannot be read", hint: "Check AWS_WEB_IDENTITY_TOKEN_FILE")
        }
        let body = form("AssumeRoleWithWebIdentity", role, [("WebIdentityToken", String(decoding: token, as: UTF8.self).trimmingSpaces())])
        return try await send(body, [("Content-Type", Self.formType)], role, "the web identity in \(file), for the role \(role.arn)", http)
    }

    private static let formType = "application/x-www-form-urlencoded"

    private func form(_ action: String, _ role: AssumedRole, _ more: [(name: String, value: String)]) -> [UInt8] {
        var fields = [("Action", action), ("Version", "2011-06-15"), ("RoleArn", role.arn), ("RoleSessionName", role.sessionName)]
        if let id = role.externalID, !id.isEmpty { fields.append(("ExternalId", id)) }
        if let duration = role.duration { fields.append(("DurationSeconds", String(duration))) }
        return Array((fields + more).map { "\(PercentCoding.encode($0.0))=\(PercentCoding.encode($0.1))" }.joined(separator: "&").utf8)
    }

    private func send(
        _ body: [UInt8], _ headers: [(name: String, value: String)], _ role: AssumedRole, _ source: String, _ http: CredentialHTTP
    ) async throws -> FoundCredentials {
        let response = try await http.ask(HTTPRequest(method: "POST", url: url + "/", headers: headers, body: body), "STS at \(url)", timeout: 15_000)
        guard response.status == 200 else {
            let error = S3Error(response)
            throw ConnectorError(
                "s3.credentials_refused", .stop, "STS at \(url) refused the role \(role.arn) with \(response.status) \(error.code) (\(error.message))",
                hint: "Allow sts:AssumeRole on the role for the caller, and name the caller in the role's trust policy (with its external id)")
        }
        guard let key = XMLText.element("AccessKeyId", in: response.body), let secret = XMLText.element("SecretAccessKey", in: response.body) else {
            throw ConnectorError("s3.credentials_unavailable", .retry, "STS at \(url) answered without credentials")
        }
        return FoundCredentials(
            credentials: Credentials(
                accessKey: key, secretKey: Secret(secret), sessionToken: XMLText.element("SessionToken", in: response.body),
                expiration: XMLText.element("Expiration", in: response.body).flatMap(CredentialTime.milliseconds)), source: source)
    }
}
