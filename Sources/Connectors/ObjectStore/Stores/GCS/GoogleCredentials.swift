import ConnectAPI
import JSON

/// What Google's services are asked for a token with: the kinds of credential files that Google's libraries read, and the metadata server.
indirect enum GoogleCredentials: Sendable {
    /// Requests carry no token: emulators and public buckets.
    case anonymous
    case serviceAccount(ServiceAccount)
    /// A person's refresh token, as `gcloud auth application-default login` leaves it.
    case authorizedUser(clientID: String, clientSecret: Secret, refreshToken: Secret, tokenURL: String)
    /// The service account of the machine: Compute Engine, GKE, Cloud Run.
    case metadataServer(host: String)
    /// Workload identity federation: a token of another issuer is exchanged for Google's.
    case externalAccount(ExternalAccount)
    /// Another service account, which `source` may impersonate.
    case impersonated(url: String, delegates: [String], source: GoogleCredentials)

    struct ServiceAccount: Sendable {
        let email: String
        let key: PrivateKey
        let keyID: String?
        let tokenURL: String
    }

    struct ExternalAccount: Sendable {
        enum Source: Sendable {
            case file(String)
            case url(String, headers: [(name: String, value: String)])
        }
        let audience: String
        let subjectTokenType: String
        let tokenURL: String
        let impersonationURL: String?
        let source: Source
        /// The member of a JSON document that holds the token; nil: the whole text is the token.
        let tokenField: String?
    }

    static let scope = "https://www.googleapis.com/auth/devstorage.read_write"
    static let tokenURL = "https://oauth2.googleapis.com/token"

    /// Reads a credentials document. `place` names it in errors; its contents never are (Invariant 10).
    init(json: [UInt8], place: String) throws {
        guard let document = try? JSONValue.parse(json), document.objectValue != nil else {
            throw Self.invalid(place, "is no JSON object", hint: "Give the JSON key file of a service account, as the Google Cloud console offers it")
        }
        try self.init(document, place: place)
    }

    private init(_ document: JSONValue, place: String) throws {
        func text(_ name: String) throws -> String {
            guard let value = document[name]?.stringValue, !value.isEmpty else {
                throw Self.invalid(place, "has no '\(name)'", hint: "Create the key or the credentials file anew")
            }
            return value
        }
        switch document["type"]?.stringValue {
        case "service_account":
            let key: PrivateKey
            do { key = try PrivateKey(text("private_key")) } catch let mistake as PrivateKey.Mistake {
                throw Self.invalid(place, "has a private_key that is no RSA key in PEM (\(mistake))", hint: "Create the service account's key anew")
            }
            self = .serviceAccount(
                ServiceAccount(
                    email: try text("client_email"), key: key, keyID: document["private_key_id"]?.stringValue,
                    tokenURL: document["token_uri"]?.stringValue ?? Self.tokenURL))
        case "authorized_user":
            self = .authorizedUser(
                clientID: try text("client_id"), clientSecret: Secret(try text("client_secret")), refreshToken: Secret(try text("refresh_token")),
                tokenURL: document["token_uri"]?.stringValue ?? Self.tokenURL)
        case "external_account":
            self = .externalAccount(
                ExternalAccount(
                    audience: try text("audience"), subjectTokenType: try text("subject_token_type"), tokenURL: try text("token_url"),
                    impersonationURL: document["service_account_impersonation_url"]?.stringValue, source: try Self.source(document, place),
                    tokenField: document["credential_source"]?["format"]?["subject_token_field_name"]?.stringValue))
        case "impersonated_service_account":
            guard let source = document["source_credentials"] else { throw Self.invalid(place, "has no 'source_credentials'", hint: nil) }
            if source["type"]?.stringValue == "impersonated_service_account" {
                throw Self.invalid(place, "impersonates from an impersonated account", hint: "List the accounts between as 'delegates'")
            }
            self = .impersonated(
                url: try text("service_account_impersonation_url"), delegates: document["delegates"]?.arrayValue?.compactMap(\.stringValue) ?? [],
                source: try GoogleCredentials(source, place: place))
        case let type:
            throw Self.invalid(
                place, "has the type '\(type ?? "")'",
                hint: "Credentials of type service_account, authorized_user, external_account and impersonated_service_account can be used")
        }
    }

    private static func source(_ document: JSONValue, _ place: String) throws -> ExternalAccount.Source {
        guard let source = document["credential_source"] else { throw invalid(place, "has no 'credential_source'", hint: nil) }
        if let file = source["file"]?.stringValue { return .file(file) }
        if let url = source["url"]?.stringValue, source["environment_id"] == nil {
            let headers = source["headers"]?.objectValue?.members.compactMap { member in member.value.stringValue.map { (name: member.key, value: $0) } }
            return .url(url, headers: headers ?? [])
        }
        throw invalid(
            place, "takes its token from AWS or from a program", hint: "Workload identity federation works with a token in a file or from a URL")
    }

    private static func invalid(_ place: String, _ what: String, hint: String?) -> ConnectorError {
        ConnectorError("gcs.credentials_invalid", .stop, "\(place) \(what)", hint: hint)
    }

    /// What they are, for logs.
    var description: String {
        switch self {
        case .anonymous: "no credentials"
        case .serviceAccount(let account): "service account \(account.email)"
        case .authorizedUser: "a user's refresh token"
        case .metadataServer(let host): "the metadata server at \(host)"
        case .externalAccount(let account): "workload identity federation for \(account.audience)"
        case .impersonated(_, _, let source): "an account impersonated by \(source.description)"
        }
    }
}
