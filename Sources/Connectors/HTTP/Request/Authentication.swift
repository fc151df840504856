import ConnectAPI
import JSON
import Transport

/// Who asks, and what a request carries to prove it.
enum Authentication: Sendable {
    case none
    case header(String, Secret)
    case parameter(String, Secret)
    case clientCredentials(ClientCredentials)

    init(_ configuration: HTTPSourceConfiguration) {
        switch configuration.authType.lowercased() {
        case "basic": self = .header("Authorization", Self.basic(configuration.user ?? "", configuration.password?.value ?? ""))
        case "bearer": self = .header("Authorization", Secret("Bearer \(configuration.bearerToken?.value ?? "")"))
        case "api_key":
            let key = configuration.apiKey ?? Secret("")
            self = configuration.apiKeyLocation.lowercased() == "query" ? .parameter(configuration.apiKeyName, key) : .header(configuration.apiKeyName, key)
        case "oauth2": self = .clientCredentials(ClientCredentials(configuration))
        default: self = .none
        }
    }

    static func basic(_ user: String, _ password: String) -> Secret { Secret("Basic " + Base64.encode(Array("\(user):\(password)".utf8))) }
}

/// OAuth 2.0 client credentials (RFC 6749 4.4).
struct ClientCredentials: Sendable {
    let url: String
    private let client: String
    private let secret: Secret
    private let scope: String
    private let inForm: Bool
    private let property: String

    init(_ configuration: HTTPSourceConfiguration) {
        url = configuration.tokenURL ?? ""
        client = configuration.clientID ?? ""
        secret = configuration.clientSecret ?? Secret("")
        scope = configuration.scope
        inForm = configuration.clientAuthMode == "url"
        property = configuration.tokenProperty
    }

    var request: HTTPRequest {
        var form = [("grant_type", "client_credentials")]
        if !scope.isEmpty { form.append(("scope", scope)) }
        if inForm { form += [("client_id", client), ("client_secret", secret.value)] }
        var headers = [(name: "Content-Type", value: "application/x-www-form-urlencoded"), (name: "Accept", value: "application/json")]
        if !inForm {
            headers.append(("Authorization", Authentication.basic(PercentEncoding.encode(client), PercentEncoding.encode(secret.value)).value))
        }
        let body = form.map { "\($0)=\(PercentEncoding.encode($1))" }.joined(separator: "&")
        return HTTPRequest(method: "POST", url: url, headers: headers, body: Array(body.utf8))
    }

    /// The token and how many seconds it is good for.
    func token(_ response: HTTPResponse) throws -> (Secret, Int64) {
        guard let json = try? JSONValue.parse(response.body), let token = json[property]?.stringValue else {
            throw ConnectorError(
                "http.bad_token", .stop, "\(URLText.shown(url)) answered without \(property)", hint: "Check oauth2.token.url and oauth2.token.property")
        }
        return (Secret(token), json["expires_in"]?.scalarText.flatMap { Int64($0) } ?? 3600)
    }
}
