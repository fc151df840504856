import ConnectAPI
import JSON
import Transport

/// Where the next page is.
struct Paging {
    private let configuration: HTTPSourceConfiguration
    private let cursorPointer: JSONPointer?
    private var page: Int64
    private var offset: Int64 = 0
    private(set) var pages: Int64 = 1

    init(_ configuration: HTTPSourceConfiguration, _ settings: HTTPSourceSettings) {
        self.configuration = configuration
        cursorPointer = settings.cursorPointer
        page = configuration.pagingStart
    }

    private func parameter(_ otherwise: String) -> String { configuration.pagingParam ?? otherwise }

    /// What the first request says.
    var first: [(name: String, value: String)] {
        var parameters: [(name: String, value: String)] = []
        if configuration.paging == "page" { parameters.append((parameter("page"), String(page))) }
        if configuration.paging == "offset" { parameters.append((parameter("offset"), "0")) }
        if configuration.paging != "none", let name = configuration.pagingSizeParam { parameters.append((name, String(configuration.pagingSize))) }
        return parameters
    }

    enum Next: Sendable {
        case parameters([(name: String, value: String)])
        case url(String)
    }

    /// nil: that was the last page. Throws when there are more than the configuration allows.
    mutating func next(after response: HTTPResponse, _ document: JSONValue?, rows: Int) throws -> Next? {
        guard let next = following(response, document, rows) else { return nil }
        pages += 1
        if pages > configuration.maxPages {
            throw ConnectorError(
                "http.too_many_pages", .stop, "\(URLText.shown(configuration.url)) has more than \(configuration.maxPages) pages",
                hint: "Raise http.paging.max.pages, or check that the paging parameters move the page on")
        }
        return next
    }

    private mutating func following(_ response: HTTPResponse, _ document: JSONValue?, _ rows: Int) -> Next? {
        var size: [(name: String, value: String)] = []
        if let name = configuration.pagingSizeParam { size.append((name, String(configuration.pagingSize))) }
        switch configuration.paging {
        case "link": return Self.nextLink(response.headers["link"] ?? "").map { .url($0) }
        case "page":
            guard rows >= configuration.pagingSize else { return nil }
            page += 1
            return .parameters([(parameter("page"), String(page))] + size)
        case "offset":
            guard rows >= configuration.pagingSize else { return nil }
            offset += Int64(rows)
            return .parameters([(parameter("offset"), String(offset))] + size)
        case "cursor":
            guard let cursor = document.flatMap({ cursorPointer?.value(in: $0) })?.scalarText, !cursor.isEmpty, cursor != "false" else { return nil }
            if cursor.hasPrefix("http://") || cursor.hasPrefix("https://") || cursor.hasPrefix("/") { return .url(cursor) }
            return .parameters([(parameter("cursor"), cursor)] + size)
        default: return nil
        }
    }

    /// The target of `rel="next"` in a Link header (RFC 8288).
    static func nextLink(_ header: String) -> String? {
        var rest = header[...]
        while let open = rest.firstIndex(of: "<"), let close = rest[open...].firstIndex(of: ">") {
            let target = rest[rest.index(after: open)..<close]
            rest = rest[rest.index(after: close)...]
            let parameters = rest.prefix { $0 != "<" }.lowercased().replacing(" ", with: "").replacing("\"", with: "")
            if parameters.split(whereSeparator: { ";,".contains($0) }).contains("rel=next") { return String(target) }
        }
        return nil
    }
}
