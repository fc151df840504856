/// Renderings are kept with the records they are of, credentials are not (Invariant 10): who renders such a record has them in a configuration.
extension Rendering {
    var withoutSecrets: Rendering { Rendering(key: key.withoutSecrets, value: value.withoutSecrets, header: header.withoutSecrets) }
}

extension Rendering.Converter {
    private static func isSecret(_ key: String) -> Bool {
        ["basic.auth.user.info", "bearer.auth.token", "key.password"].contains { key.hasSuffix($0) } || key.contains("request.header.")
    }

    var withoutSecrets: Rendering.Converter {
        guard settings.contains(where: { Self.isSecret($0.key) || $0.value.contains("@") }) else { return self }
        return Rendering.Converter(
            className,
            Dictionary(
                uniqueKeysWithValues: settings.filter { !Self.isSecret($0.key) }.map { key, value in
                    (key, key.hasSuffix("schema.registry.url") ? value.split(separator: ",").map(Self.withoutUser).joined(separator: ",") : value)
                }))
    }

    /// `http://HOST` of `http://USER:PASSWORD@HOST`.
    private static func withoutUser(_ url: Substring) -> String {
        guard let scheme = url.firstRange(of: "://") else { return String(url) }
        let host = url[scheme.upperBound...].prefix { $0 != "/" }
        guard let at = host.lastIndex(of: "@") else { return String(url) }
        return "\(url[..<scheme.upperBound])\(url[url.index(after: at)...])"
    }

    /// The same converter as `own` is, where all but the credentials is equal.
    func credentialed(by own: Rendering.Converter) -> Rendering.Converter { own.withoutSecrets == withoutSecrets ? own : self }
}
