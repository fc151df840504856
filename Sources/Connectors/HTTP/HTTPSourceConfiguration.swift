public import ConnectAPI
import CSV
import JSON

/// The keys of `HTTPSource`: castorm's where it has one, Confluent's names as aliases, and ours.
public struct HTTPSourceConfiguration: ConnectConfiguration {
    @Field("kafka.topic", importance: .high, doc: "The topic the rows go to", check: .nonEmpty, aliases: ["topic"]) var topic: String

    // MARK: When

    @Field(
        "http.timer.interval.millis", default: "60000", importance: .high, doc: "Milliseconds between two polls", check: .atLeast(1),
        aliases: ["request.interval.ms"])
    var interval: Int64
    @Field(
        "http.timer.catchup.interval.millis", importance: .low,
        doc: "Milliseconds until the next poll after one that had rows and a since-offset; http.timer.interval.millis when absent", check: .atLeast(1))
    var catchUpInterval: Int64?
    @Field("http.timer.cron", importance: .high, doc: "When to poll, as cron spells it: */5 * * * *; instead of the interval") var cron: String?
    @Field("http.timer.zone", default: "UTC", importance: .low, doc: "The zone of http.timer.cron: UTC, ±hh:mm or a name such as Europe/Paris") var zone: String
    @Field("http.requests.per.minute", default: "0", doc: "Requests a minute at most, pages included; 0: no limit", check: .atLeast(0)) var perMinute: Int64

    // MARK: What to ask

    @Field("http.request.url", importance: .high, doc: "The URL; ${offset.NAME} stands for what the last record said", check: .nonEmpty, aliases: ["url"])
    var url: String
    @Field("http.request.method", default: "GET", doc: "The method", check: .oneOfIgnoringCase(["GET", "POST", "PUT"])) var method: String
    @Field("http.request.headers", default: "", doc: "Headers: Name: Value, Name2: Value2") var headers: String
    @Field("http.request.params", default: "", doc: "The query: name=value&name2=value2; values are encoded for you", aliases: ["http.request.parameters"])
    var params: String
    @Field("http.request.body", default: "", doc: "The body of a POST or PUT") var body: String
    @Field("http.offset.initial", default: "", doc: "Offsets before the first record: name=value, name2=value2") var initialOffset: String

    // MARK: Who asks

    @Field(
        "http.auth.type", default: "None", doc: "How to authenticate", check: .oneOfIgnoringCase(["None", "Basic", "Bearer", "API_Key", "OAuth2"]),
        aliases: ["auth.type"]) var authType: String
    @Field("http.auth.user", doc: "The user of Basic", aliases: ["connection.user"]) var user: String?
    @Field("http.auth.password", doc: "The password of Basic", aliases: ["connection.password"]) var password: Secret?
    @Field("http.auth.bearer.token", doc: "The token of Bearer", aliases: ["bearer.token"]) var bearerToken: Secret?
    @Field("http.auth.api.key.name", default: "apikey", doc: "The header or parameter that carries the key", aliases: ["api.key.name"]) var apiKeyName: String
    @Field("http.auth.api.key", doc: "The key of API_Key", aliases: ["api.key.value"]) var apiKey: Secret?
    @Field(
        "http.auth.api.key.location", default: "header", doc: "Where the key goes", check: .oneOfIgnoringCase(["header", "query"]),
        aliases: ["api.key.location"])
    var apiKeyLocation: String
    @Field("oauth2.token.url", doc: "Where OAuth2 gives tokens for client credentials") var tokenURL: String?
    @Field("oauth2.client.id", doc: "The client") var clientID: String?
    @Field("oauth2.client.secret", doc: "Its secret") var clientSecret: Secret?
    @Field("oauth2.client.scope", default: "", doc: "The scope to ask for") var scope: String
    @Field(
        "oauth2.client.auth.mode", default: "header", importance: .low, doc: "Whether client and secret go into a header or the form",
        check: .oneOf(["header", "url"]))
    var clientAuthMode: String
    @Field("oauth2.token.property", default: "access_token", importance: .low, doc: "The token's member in the answer") var tokenProperty: String

    // MARK: The answer

    @Field("http.response.format", default: "json", doc: "What the answer is", check: .oneOf(["json", "jsonl", "csv"])) var format: String
    @Field(
        "http.response.list.pointer", default: "/", importance: .high,
        doc: "JSON pointer to the rows: an array, or one object; with http.response.map a map whose entries are rows",
        aliases: ["http.response.data.json.pointer"])
    var listPointer: String
    @Field("http.response.record.pointer", default: "/", doc: "JSON pointer from a row to the object that is the record") var recordPointer: String
    @Field("http.response.map", importance: .high, doc: "Two names KEY:VALUE; every entry of the map at the list pointer is a row of these two columns")
    var map: String?
    @Field("http.response.columns", doc: "Columns whose type is not to be inferred: rate double, at timestamp; the types of the CSV source") var columns:
        String?
    @Field("http.record.fields", default: "", doc: "Columns to put first: name=text, at=${poll.time}, n=${poll.millis}") var fields: String
    @Field(
        "http.response.record.offset.pointer", default: "",
        doc: "What the last record says for the next request: name=/pointer, …; timestamp is also the records' timestamp, key their key") var offsetPointers:
        String
    @Field("http.response.record.mapper", importance: .low, doc: "StringKvSourceRecordMapper: the record's JSON as text") var mapper: String?
    @Field("http.response.policy.codes.process", default: "200..299", importance: .low, doc: "Status codes whose answer is read") var processCodes: String
    @Field("http.response.policy.codes.skip", default: "300..399", importance: .low, doc: "Status codes whose answer is left alone") var skipCodes: String
    @Field("batch.boundary.header", doc: "A header that the last record of every poll gets") var boundaryHeader: String?

    // MARK: Pages

    @Field(
        "http.paging.mode", default: "none", doc: "How an answer says where the next page is", check: .oneOf(["none", "link", "page", "offset", "cursor"]))
    var paging: String
    @Field("http.paging.param", doc: "The parameter for page, offset or cursor; page, offset and cursor by default") var pagingParam: String?
    @Field("http.paging.start", default: "1", importance: .low, doc: "The number of the first page", check: .atLeast(0)) var pagingStart: Int64
    @Field("http.paging.size", default: "100", doc: "Rows a page; fewer end the poll", check: .atLeast(1)) var pagingSize: Int64
    @Field("http.paging.size.param", doc: "The parameter that says the size; absent: it is not sent") var pagingSizeParam: String?
    @Field("http.paging.cursor.pointer", doc: "JSON pointer to the next page's cursor, or URL", aliases: ["http.next.page.json.pointer"]) var cursorPointer:
        String?
    @Field("http.paging.max.pages", default: "10000", importance: .low, doc: "Pages a poll reads at most", check: .atLeast(1)) var maxPages: Int64

    // MARK: Patience

    @Field("max.retries", default: "5", doc: "How often a request is tried again", check: .atLeast(0)) var maxRetries: Int
    @Field("retry.backoff.ms", default: "1000", doc: "The first wait before trying again; it doubles. Retry-After is honoured", check: .atLeast(1))
    var retryBackoff: Int64
    @Field("http.client.connection.timeout.millis", default: "10000", importance: .low, doc: "Time to connect", check: .atLeast(1)) var connectTimeout: Int
    @Field("http.client.read.timeout.millis", default: "60000", importance: .low, doc: "Time for a whole exchange", check: .atLeast(1)) var readTimeout: Int
    @Field("http.client.proxy.host", default: "", importance: .low, doc: "An HTTP proxy") var proxyHost: String
    @Field("http.client.proxy.port", default: "3128", importance: .low, doc: "Its port") var proxyPort: Int
    @Field("http.client.proxy.username", default: "", importance: .low, doc: "Its user") var proxyUser: String
    @Field("http.client.proxy.password", importance: .low, doc: "Its password") var proxyPassword: Secret?

    public init() {}

    public func crossCheck() -> [Diagnostic] {
        var findings: [Diagnostic] = []
        func refuse(_ key: String, _ message: String) { findings.append(Diagnostic(key, message)) }
        func require(_ given: Bool, _ key: String) { if !given { refuse(key, "http.auth.type=\(authType) needs it") } }
        if !url.hasPrefix("http://"), !url.hasPrefix("https://") { refuse("http.request.url", "It must begin with http:// or https://") }
        switch authType.lowercased() {
        case "basic": require(user != nil, "http.auth.user")
        case "bearer": require(bearerToken != nil, "http.auth.bearer.token")
        case "api_key": require(apiKey != nil, "http.auth.api.key")
        case "oauth2":
            require(tokenURL != nil, "oauth2.token.url")
            require(clientID != nil, "oauth2.client.id")
            require(clientSecret != nil, "oauth2.client.secret")
        default: break
        }
        if paging == "cursor", cursorPointer == nil { refuse("http.paging.cursor.pointer", "http.paging.mode=cursor needs it") }
        if mapper != nil, mapper?.hasSuffix("StringKvSourceRecordMapper") != true {
            refuse("http.response.record.mapper", "Only StringKvSourceRecordMapper is known; without it records have typed columns")
        }
        do { _ = try HTTPSourceSettings(self) } catch { findings.append(Diagnostic(error.key, error.message)) }
        return findings
    }
}
