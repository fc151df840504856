public import ConnectAPI
import ConnectorsObjectStore
import Transport

/// What the keys mean: each of these throws or reports one finding a key.
extension SnowflakeSinkConfiguration {
    public func crossCheck() -> [Diagnostic] {
        var findings: [Diagnostic] = []
        func check(_ key: String, _ body: () throws -> Void) {
            do { try body() } catch let error as ConnectorError {
                findings.append(Diagnostic(key, error.hint.map { "\(error.message). \($0)" } ?? error.message))
            } catch {
                findings.append(Diagnostic(key, "\(error)"))
            }
        }
        check("snowflake.url.name") { _ = try accountURL }
        for (key, value) in [("snowflake.user.name", user), ("snowflake.database.name", database), ("snowflake.schema.name", schema)]
        where value.isEmpty {
            findings.append(Diagnostic(key, "\(key) is empty"))
        }
        check("snowflake.topic2table.map") { _ = try TableMap(topicMap) }
        switch authentication {
        case .keyPair: check("snowflake.private.key") { _ = try keyPair }
        case .password where password.value.isEmpty:
            findings.append(Diagnostic("snowflake.private.key", "snowflake.private.key is missing; or give snowflake.password"))
        case .oauth where oauthClient.isEmpty: findings.append(Diagnostic("snowflake.oauth.client.id", "snowflake.oauth.client.id is missing"))
        case .oauth where oauthSecret.value.isEmpty:
            findings.append(Diagnostic("snowflake.oauth.client.secret", "snowflake.oauth.client.secret is missing"))
        case .password, .oauth: break
        }
        if ingestionMethod != .copy, authentication == .password {
            findings.append(
                Diagnostic(
                    "snowflake.password", "Snowpipe and Snowpipe Streaming take a private key or OAuth, not a password; or use snowflake.ingestion.method=COPY")
            )
        }
        if usesSQLAPI, authentication == .password {
            findings.append(
                Diagnostic("snowflake.password", "The SQL API takes a private key or OAuth, not a password; or use snowflake.sql.interface=session"))
        }
        if usesSQLAPI, ingestionMethod != .streaming, stageURL == nil {
            findings.append(
                Diagnostic(
                    "snowflake.sql.interface",
                    "The SQL API has no PUT, so files need an external stage: set snowflake.stage.name and snowflake.stage.url, or use session or SNOWPIPE_STREAMING"
                ))
        }
        if ingestionMethod == .snowpipe, layout == .columns {
            findings.append(
                Diagnostic(
                    "snowflake.enable.schematization",
                    "A pipe loads fixed columns: schematization needs snowflake.ingestion.method COPY or SNOWPIPE_STREAMING"))
        }
        if stageURL != nil, stageName == nil {
            findings.append(Diagnostic("snowflake.stage.name", "snowflake.stage.url needs the name of the stage that has this URL"))
        }
        if let name = stageName, ObjectName(configured: name) == nil { findings.append(Diagnostic("snowflake.stage.name", "'\(name)' is not a name")) }
        check("snowflake.stage.url") { _ = try stageBucket }
        if accessKey.isEmpty != secretKey.value.isEmpty {
            findings.append(
                Diagnostic(
                    accessKey.isEmpty ? "aws.access.key.id" : "aws.secret.access.key",
                    "aws.access.key.id and aws.secret.access.key must be given together, or neither"))
        }
        if (proxyHost == nil) != (proxyPort == nil) {
            findings.append(Diagnostic(proxyHost == nil ? "jvm.proxy.host" : "jvm.proxy.port", "jvm.proxy.host and jvm.proxy.port must be given together"))
        }
        if let odd = nonProxyPatterns.first(where: { $0 != "*" && $0.dropFirst().contains("*") }) {
            findings.append(Diagnostic("jvm.nonProxy.hosts", "'\(odd)' has a * that is not at its beginning: write hosts, or domains as *.example.com"))
        }
        if let type = tableType, !["", "standard", "table"].contains(type.lowercased()) {
            findings.append(Diagnostic("snowflake.autocreate.table.type", "Tables of type '\(type)' are not supported; remove it"))
        }
        if let options = icebergOptions, !options.isEmpty {
            findings.append(Diagnostic("snowflake.iceberg.create.table.options", "Iceberg tables are not supported; remove it"))
        }
        if streaming["iceberg.enabled"]?.lowercased() == "true" {
            findings.append(Diagnostic("snowflake.streaming.iceberg.enabled", "Iceberg tables are not supported; set it to false"))
        }
        return findings
    }

    // MARK: Login

    var accountURL: AccountURL { get throws { try AccountURL(url) } }
    var accountName: String { get throws { try account.flatMap { $0.isEmpty ? nil : $0 } ?? accountURL.account } }

    enum Authentication { case keyPair, password, oauth }
    var authentication: Authentication {
        switch authenticator.lowercased() {
        case "oauth": .oauth
        case "snowflake": .password
        case "snowflake_jwt": .keyPair
        default: privateKey.value.isEmpty ? .password : .keyPair
        }
    }

    var keyPair: KeyPair {
        get throws {
            do {
                let key = try PrivateKey(privateKey.value, passphrase: passphrase.value.isEmpty ? nil : passphrase)
                return KeyPair(key: key, account: try accountName, user: user)
            } catch let mistake as PrivateKey.Mistake {
                let (what, hint) =
                    switch mistake {
                    case .unreadable:
                        ("The private key is neither PEM nor base64", "Give the text of the .p8 file, or its lines joined without header and footer")
                    case .passphrase:
                        ("The private key is encrypted, and the passphrase is missing or wrong", "Set snowflake.private.key.passphrase to the key's passphrase")
                    case .notRSA: ("The private key is not an RSA key", "Make one with: openssl genrsa 2048 | openssl pkcs8 -topk8 -inform PEM -out rsa_key.p8")
                    }
                throw ConnectorError("snowflake.private_key", .stop, what, hint: hint)
            }
        }
    }

    func credential(_ client: ServiceClient) throws -> Credential {
        switch authentication {
        case .keyPair: return .keyPair(try keyPair)
        case .password: return .password(password)
        case .oauth:
            let own = "\(client.url.text)/oauth/token-request"
            return .oauth(
                OAuthTokens(
                    .init(
                        endpoint: oauthEndpoint.isEmpty ? own : oauthEndpoint, clientID: oauthClient, clientSecret: oauthSecret,
                        refreshToken: oauthRefresh.value.isEmpty ? nil : oauthRefresh, scope: oauthIncludesScope ? oauthScope : nil), client))
        }
    }

    /// As Snowflake stores a name that stands in a configuration.
    static func stored(_ name: String) -> String { ObjectName(configured: name)?.name ?? name.uppercased() }

    func sessionSettings(connector: String) throws -> Session.Settings {
        Session.Settings(
            account: try accountName, user: user, role: role, warehouse: warehouse, database: Self.stored(database), schema: Self.stored(schema),
            queryTag: queryTag ?? "sluice:\(connector)")
    }

    var usesSQLAPI: Bool { sqlInterface.lowercased() == "sql_api" }

    func statements(connector: String, _ credential: Credential, _ client: ServiceClient, log: Logger) throws -> any Statements {
        let settings = try sessionSettings(connector: connector)
        return usesSQLAPI ? StatementAPI(settings, credential, client) : Session(settings, credential, client, log: log)
    }

    /// For the account and for the stores behind its stages.
    /// What a role needs on the stage it uses: of an internal one the given privileges, of an external one USAGE.
    func stagePrivileges(_ ofInternal: String) -> String { stageURL == nil ? ofInternal : "USAGE" }

    /// As Java has them: `localhost|*.example.com`.
    private var nonProxyPatterns: [String] { (nonProxyHosts ?? "").split(separator: "|").map { String($0).trimmingSpaces() } }

    var proxy: HTTPProxy? {
        proxyHost.map {
            HTTPProxy(
                url: "http://\($0):\(proxyPort ?? "80")", user: proxyUser, password: proxyUser == nil ? nil : proxyPassword,
                bypass: nonProxyPatterns.map {
                    $0.hasPrefix("*") && $0 != "*" ? String($0.dropFirst()) : $0
                })
        }
    }

    // MARK: Tables

    /// Which of the vendor's connectors a configuration was written for.
    private var asksForStreaming: Bool { connectorClass?.hasSuffix("SnowflakeStreamingSinkConnector") == true }

    var layout: TableLayout {
        if let named = TableLayout(rawValue: layoutName.lowercased()) { return named }
        if schematization { return .columns }
        let short = connectorClass?.split(separator: ".").last
        return short == "SnowflakeSink" ? .seed : .kafka
    }

    var rowLayout: RowLayout {
        let isStreaming = ingestionMethod == .streaming
        let values = VendorValues(isStreaming: isStreaming)
        return RowLayout(
            layout: layout,
            metadata: RecordMetadata(
                isIncluded: metadata, topic: metadataTopic, offsetAndPartition: metadataOffset, createTime: metadataTime,
                pushTime: isStreaming && metadataPushTime, values: VendorValues()),
            addsPosition: positionColumns, payloadPath: payloadPath.split(separator: ".").map(String.init),
            ignoresNulls: nullValues.lowercased() == "ignore", maximumVariantBytes: variantBytes, values: values)
    }

    // MARK: Loading

    enum Method { case copy, snowpipe, streaming }
    var ingestionMethod: Method {
        switch method.lowercased() {
        case "copy": .copy
        case "snowpipe": .snowpipe
        case "snowpipe_streaming": .streaming
        default: asksForStreaming ? .streaming : .copy
        }
    }

    /// Milliseconds.
    var streamingLag: Int64 { maxClientLag * 1000 }

    var rotation: StagedIngestion.Rotation {
        StagedIngestion.Rotation(
            records: Int(clamping: bufferRecords), bytes: Int(clamping: bufferBytes),
            milliseconds: bufferSeconds.multipliedReportingOverflow(by: 1000).partialValue)
    }

    /// Where an external stage's files are written.
    enum StageBucket {
        case s3(S3Uploads.Place)
        case gcs(GCSUploads.Place)
    }

    var stageBucket: (bucket: StageBucket, prefix: String)? {
        get throws {
            guard let url = stageURL else { return nil }
            guard let scheme = ["s3://", "s3gov://", "s3china://", "s3compat://", "gcs://"].first(where: { url.lowercased().hasPrefix($0) }) else {
                throw ConnectorError(
                    "config.invalid", .stop, "The stage's URL is not of S3 or Google Cloud Storage",
                    hint: "Write it as s3://bucket/prefix or gcs://bucket/prefix; on Azure use an internal stage")
            }
            let rest = url.dropFirst(scheme.count)
            let name = String(rest.prefix { $0 != "/" })
            var prefix = String(rest.dropFirst(name.count + 1))
            if !prefix.isEmpty, !prefix.hasSuffix("/") { prefix += "/" }
            guard !name.isEmpty else {
                throw ConnectorError("config.invalid", .stop, "The stage's URL names no bucket", hint: "Write it as s3://bucket/prefix")
            }
            guard scheme == "gcs://" else {
                var place = S3Uploads.Place(bucket: name, region: s3Region, endpoint: storeURL)
                place.pathStyle = storeURL != nil
                place.accessKey = accessKey
                place.secretKey = secretKey
                place.proxy = proxy
                return (.s3(place), prefix)
            }
            var place = GCSUploads.Place(bucket: name)
            place.endpoint = gcsEndpoint
            place.credentialsPath = gcsCredentialsPath
            place.credentialsJSON = gcsCredentialsJSON.value.isEmpty ? nil : gcsCredentialsJSON
            place.proxy = proxy
            return (.gcs(place), prefix)
        }
    }

    /// Keys that were set and change nothing here.
    var ignoredKeys: [String] {
        [
            ("provider", provider != nil), ("jmx", !jmx), ("enable.mdc.logging", mdcLogging),
            ("enable.task.fail.on.authorization.errors", failOnAuthorization), ("snowflake.validation", validation.lowercased() != "server_side"),
        ].filter(\.1).map(\.0) + jdbc.keys.map { "snowflake.jdbc.\($0)" } + snowpipe.keys.map { "snowflake.snowpipe.\($0)" }
            + streamingSwitches.keys.map { "enable.streaming.\($0)" }
            + streaming.keys.filter { !["metadata.connectorPushTime", "iceberg.enabled", "max.client.lag"].contains($0) }
            .map { "snowflake.streaming.\($0)" }.sorted()
    }
}
