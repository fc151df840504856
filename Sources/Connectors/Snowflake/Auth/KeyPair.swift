import ConnectAPI
import ConnectorsObjectStore
import JSON

/// Key-pair authentication: a JSON Web Token signed by the user's private key, of which Snowflake knows the public half.
struct KeyPair: Sendable {
    let key: PrivateKey
    let account: String
    let user: String

    /// `account` as it stands in the URL.
    init(key: PrivateKey, account: String, user: String) {
        self.key = key
        self.account = Self.account(account)
        self.user = user.uppercased()
    }

    /// The account of a token's issuer: upper case and without the region; the form `organization-account` keeps its hyphen, `…global` does not.
    static func account(_ account: String) -> String {
        let cut: Character = account.contains(".global") ? "-" : "."
        return account.prefix { $0 != cut }.uppercased()
    }

    /// `SHA256:` and the base64 hash of the public key, as `DESCRIBE USER` shows it.
    var fingerprint: String { "SHA256:" + Base64.encode(Hash.sha256(key.publicKey)) }

    /// A token for the given span of time.
    func token(now: Int64, lifetime: Int64) -> String {
        let subject = "\(account).\(user)"
        return key.token(
            header: ["alg": "RS256", "typ": "JWT"],
            claims: ["iss": .string("\(subject).\(fingerprint)"), "sub": .string(subject), "iat": .integer(now), "exp": .integer(now + lifetime)])
    }
}
