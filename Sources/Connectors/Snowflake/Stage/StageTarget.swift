import ConnectAPI
import JSON

/// Where a PUT statement lets its files be uploaded to, read from the statement's answer. A parser of outside bytes.
struct StageTarget: Sendable {
    enum Place: Sendable {
        case s3(bucket: String, prefix: String, region: String, endpoint: String?, accessKey: String, secretKey: Secret, token: String?)
        /// One URL for one file.
        case gcsPresigned(url: String)
        case gcsToken(base: String, prefix: String, token: Secret)
        case azure(base: String, prefix: String, signature: Secret)
    }
    let place: Place
    let encryption: EncryptionMaterial?

    /// Whether other files of the directory may go there too.
    var isReusable: Bool { if case .gcsPresigned = place { false } else { true } }

    init(_ data: JSONValue) throws {
        guard let info = data["stageInfo"], let type = info["locationType"]?.stringValue?.uppercased() else {
            throw QueryAnswer.unreadable("a PUT names no stage location")
        }
        let location = info["location"]?.stringValue ?? ""
        let bucket = String(location.prefix { $0 != "/" })
        var prefix = String(location.dropFirst(bucket.count + 1))
        if !prefix.isEmpty, !prefix.hasSuffix("/") { prefix += "/" }
        func credential(_ name: String) throws -> String {
            guard let value = info["creds"]?[name]?.stringValue, !value.isEmpty else { throw QueryAnswer.unreadable("a PUT to \(type) has no \(name)") }
            return value
        }
        func text(_ name: String) -> String? { info[name]?.stringValue.flatMap { $0.isEmpty ? nil : $0 } }
        func flag(_ name: String) -> Bool { info[name]?.boolValue == true }
        switch type {
        case "S3":
            guard !bucket.isEmpty else { throw QueryAnswer.unreadable("a PUT to S3 names no bucket") }
            place = .s3(
                bucket: bucket, prefix: prefix, region: text("region") ?? "us-east-1", endpoint: text("endPoint"), accessKey: try credential("AWS_KEY_ID"),
                secretKey: Secret(try credential("AWS_SECRET_KEY")), token: info["creds"]?["AWS_TOKEN"]?.stringValue)
        case "GCS":
            if let token = info["creds"]?["GCS_ACCESS_TOKEN"]?.stringValue, !token.isEmpty {
                let region = (text("region") ?? "").lowercased()
                let isRegional = flag("useRegionalUrl") || region == "me-central2"
                let host = text("endPoint") ?? (isRegional ? "storage.\(region).rep.googleapis.com" : "storage.googleapis.com")
                let base = flag("useVirtualUrl") && text("endPoint") == nil ? "https://\(bucket).\(host)/" : "\(Self.withScheme(host))/\(bucket)/"
                place = .gcsToken(base: base, prefix: prefix, token: Secret(token))
            } else if let url = text("presignedUrl") ?? data["presignedUrls"]?[0]?.stringValue {
                place = .gcsPresigned(url: url)
            } else {
                throw QueryAnswer.unreadable("a PUT to GCS has neither a token nor a presigned URL")
            }
        case "AZURE":
            guard let account = text("storageAccount"), let endpoint = text("endPoint") else { throw QueryAnswer.unreadable("a PUT to Azure names no account") }
            var signature = try credential("AZURE_SAS_TOKEN")
            if signature.hasPrefix("?") { signature.removeFirst() }
            let host = endpoint.hasPrefix("http://") ? endpoint : "https://\(account).\(endpoint.hasPrefix("blob.") ? "" : "blob.")\(endpoint)"
            place = .azure(base: "\(host)/\(bucket)/", prefix: prefix, signature: Secret(signature))
        default:
            throw ConnectorError(
                "snowflake.stage_place", .stop, "The stage is stored in '\(type)', which is not S3, GCS or Azure",
                hint: "Use an internal stage, or an external one with snowflake.stage.url")
        }
        encryption = try Self.material(data["encryptionMaterial"])
    }

    private static func withScheme(_ host: String) -> String { host.hasPrefix("http://") || host.hasPrefix("https://") ? host : "https://\(host)" }

    /// One material, or a list of one; absent for stages that Snowflake's side encrypts (SNOWFLAKE_SSE).
    private static func material(_ json: JSONValue?) throws -> EncryptionMaterial? {
        guard let material = json?.arrayValue?.first ?? json, material.objectValue?.isEmpty == false else { return nil }
        guard let text = material["queryStageMasterKey"]?.stringValue, let key = Base64.decode(text.utf8), let query = material["queryId"]?.stringValue,
            let smk = material["smkId"]?.scalarText
        else { throw QueryAnswer.unreadable("the encryption material of a PUT is incomplete") }
        return EncryptionMaterial(masterKey: key, queryID: query, smkID: smk)
    }
}
