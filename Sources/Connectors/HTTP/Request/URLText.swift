/// The parts of a URL that requests and error texts need.
enum URLText {
    /// `https://host:port`
    static func origin(_ url: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return "" }
        let end = url[scheme.upperBound...].firstIndex { "/?#".contains($0) } ?? url.endIndex
        return String(url[..<end])
    }

    /// Without user, query and fragment: what errors and offsets may show (Invariant 10).
    static func shown(_ url: String) -> String {
        var text = url[..<(url.firstIndex { "?#".contains($0) } ?? url.endIndex)]
        if let scheme = text.firstRange(of: "://") {
            let authority = text[scheme.upperBound...].prefix { $0 != "/" }
            if let at = authority.lastIndex(of: "@") { text.removeSubrange(scheme.upperBound...at) }
        }
        return String(text)
    }

    /// Where a `Location` or a link leads, seen from a URL.
    static func resolve(_ target: String, from url: String) -> String {
        if target.hasPrefix("http://") || target.hasPrefix("https://") { return target }
        if target.hasPrefix("//") { return String(url[..<(url.firstRange(of: "://")?.lowerBound ?? url.startIndex)]) + ":" + target }
        let origin = origin(url)
        if target.hasPrefix("/") { return origin + target }
        let path = url[..<(url.firstIndex { "?#".contains($0) } ?? url.endIndex)]
        if target.hasPrefix("?") { return path + target }
        let directory = path.count > origin.count ? path[...(path.lastIndex(of: "/") ?? path.startIndex)] : path + "/"
        return directory + target
    }

    static func adding(_ parameters: [(name: String, value: String)], to url: String) -> String {
        parameters.reduce(url) { url, parameter in
            "\(url)\(url.contains("?") ? "&" : "?")\(PercentEncoding.encode(parameter.name))=\(PercentEncoding.encode(parameter.value))"
        }
    }
}
