import ConnectAPI

/// Who an `https` listener is, and whom it wants to hear from: `listeners.https.ssl.*`, or `ssl.*` where none of these is set.
///
/// Keys are Kafka's, and the stores are PEM: files, or the texts themselves.
package struct ServerTLS: Sendable {
    package enum ClientAuthentication: String, Sendable { case none, requested, required }

    /// The certificate and those that lead to its signer.
    let certificates: String
    let key: Secret
    let keyPassword: Secret?
    /// Who may sign client certificates.
    let trust: String?
    let clientAuthentication: ClientAuthentication
    /// In the words of GnuTLS.
    let priorities: String
    /// Of the worker as a client of others: whether their certificates must be for the host that is asked.
    let verifiesHost: Bool

    /// `prefix`: `listeners.https.` or `admin.listeners.https.`. Throws `worker.config`.
    package init(_ worker: [String: String], prefix: String) throws {
        let own = worker.filter { $0.key.hasPrefix(prefix) && !$0.value.isEmpty }
        // All or nothing, as Kafka reads them.
        let used = own.isEmpty ? "" : prefix
        func value(_ key: String) -> String? { worker[used + key].flatMap { $0.trimmingSpaces().isEmpty ? nil : $0.trimmingSpaces() } }
        func refuse(_ message: String, _ hint: String) -> ConnectorError { ConnectorError("worker.config", .stop, message, hint: hint) }
        for store in ["ssl.keystore", "ssl.truststore"] where value("\(store).location") != nil {
            let type = value("\(store).type")?.uppercased() ?? "JKS"
            guard type == "PEM" else {
                throw refuse(
                    "\(used)\(store).type is \(type), and stores are read as PEM only",
                    "Convert it: keytool -importkeystore -srckeystore STORE -destkeystore store.p12 -deststoretype pkcs12; openssl pkcs12 -in store.p12 -out store.pem;"
                        + " then set \(used)\(store).type=PEM and \(used)\(store).location=store.pem")
            }
        }
        for key in ["ssl.cipher.suites", "ssl.engine.factory.class"] where value(key) != nil {
            throw refuse("\(used)\(key) is not supported", "Remove it; ssl.enabled.protocols chooses the protocols")
        }
        let store = try value("ssl.keystore.location").map { String(decoding: try WorkerFile.read($0), as: UTF8.self) }
        guard let certificates = value("ssl.keystore.certificate.chain") ?? store, let key = value("ssl.keystore.key") ?? store else {
            throw refuse(
                "An https listener needs a certificate and its key",
                "Set \(prefix)ssl.keystore.type=PEM and \(prefix)ssl.keystore.location to a file with both, or ssl.keystore.certificate.chain and ssl.keystore.key"
            )
        }
        self.certificates = Self.blocks(certificates) { $0.hasSuffix("CERTIFICATE") }
        self.key = Secret(Self.blocks(key) { $0.hasSuffix("PRIVATE KEY") })
        guard !self.certificates.isEmpty, !self.key.value.isEmpty else {
            throw refuse(
                "The keystore of \(prefix)ssl holds no \(self.certificates.isEmpty ? "certificate" : "private key") in PEM", "It begins with -----BEGIN …-----")
        }
        keyPassword = value("ssl.key.password").map { Secret($0) }
        trust = try value("ssl.truststore.certificates") ?? value("ssl.truststore.location").map { String(decoding: try WorkerFile.read($0), as: UTF8.self) }
        let asked = value("ssl.client.auth")?.lowercased() ?? "none"
        guard let clientAuthentication = ClientAuthentication(rawValue: asked) else {
            throw refuse("Invalid value \(asked) for configuration \(used)ssl.client.auth", "Use none, requested or required")
        }
        guard clientAuthentication == .none || trust != nil else {
            throw refuse(
                "\(used)ssl.client.auth is \(asked), but there is no truststore", "Set \(used)ssl.truststore.type=PEM and \(used)ssl.truststore.location")
        }
        self.clientAuthentication = clientAuthentication
        verifiesHost = worker[used + "ssl.endpoint.identification.algorithm"]?.trimmingSpaces() != ""
        priorities = try Self.priorities(value("ssl.enabled.protocols") ?? "TLSv1.2,TLSv1.3")
    }

    private static func priorities(_ protocols: String) throws -> String {
        let names = ["TLSv1.3": "TLS1.3", "TLSv1.2": "TLS1.2"]
        return try ([String](configText: protocols) ?? []).reduce("NORMAL:-VERS-ALL") { text, name in
            guard let known = names[name] else {
                throw ConnectorError("worker.config", .stop, "ssl.enabled.protocols names \(name)", hint: "Use TLSv1.2 and TLSv1.3")
            }
            return "\(text):+VERS-\(known)"
        }
    }

    /// The PEM blocks whose labels are wanted, as they are.
    private static func blocks(_ pem: String, _ isWanted: (Substring) -> Bool) -> String {
        var out = "", isInside = false
        // In properties files the lines of a text are often joined.
        for line in pem.replacing("-----BEGIN", with: "\n-----BEGIN").split(whereSeparator: \.isNewline) {
            if line.hasPrefix("-----BEGIN ") { isInside = isWanted(line.dropFirst(11).prefix { $0 != "-" }) }
            if isInside { out += line + "\n" }
            if line.hasPrefix("-----END ") { isInside = false }
        }
        return out
    }
}
