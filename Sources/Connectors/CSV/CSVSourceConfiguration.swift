public import ConnectAPI
import CSV
import JavaRegex

/// The keys of `CSVSource`: Spool Dir's, and ours for what it does not do (`file`, `columns`, replay, tail, loop, enrichment).
public struct CSVSourceConfiguration: ConnectConfiguration {
    // MARK: What to read

    @Field("topic", importance: .high, doc: "The topic the rows go to", check: .nonEmpty) var topic: String
    @Field("file", importance: .high, doc: "A file, or files by a pattern such as /data/*.csv.gz; instead of input.path and input.file.pattern")
    var file: String?
    @Field("input.path", importance: .high, doc: "The directory to read files from") var inputPath: String?
    @Field("input.file.pattern", importance: .high, doc: "Java regular expression that the whole name of a file in input.path matches")
    var inputFilePattern: String?
    @Field("finished.path", importance: .high, doc: "The directory files are moved to when all of their rows are in the log") var finishedPath: String?
    @Field("error.path", importance: .high, doc: "The directory a file is moved to whose rows cannot be read, with halt.on.error=false")
    var errorPath: String?
    @Field(
        "cleanup.policy", doc: "What happens to a file that was read; MOVE when finished.path is given, NONE otherwise",
        check: .oneOf(["NONE", "DELETE", "MOVE", "MOVEBYDATE"])) var cleanupPolicy: String?
    @Field("halt.on.error", default: "true", doc: "Whether the task stops at a file it cannot read") var haltOnError: Bool
    @Field("file.minimum.age.ms", default: "0", doc: "Milliseconds since a file's last change before it is read", check: .atLeast(0))
    var minimumAge: Int64
    @Field("processing.file.extension", default: ".PROCESSING", importance: .low, doc: "Files that end so are left alone") var processingExtension: String
    @Field("empty.poll.wait.ms", default: "500", doc: "Milliseconds between two looks for new data", check: .atLeast(1)) var emptyPollWait: Int64
    @Field("batch.size", default: "8192", importance: .low, doc: "Rows a batch holds at most", check: .between(1, 1_000_000)) var batchSize: Int
    @Field(
        "file.compression", default: "auto", doc: "How files are compressed; auto: as their first bytes say", check: .oneOf(["auto", "none", "gzip", "zstd"]))
    var compression: String
    @Field(
        "file.changed", default: "fail", doc: "A file that is not the one the offset was taken from: fail, or restart it from its first row",
        check: .oneOf(["fail", "restart"])) var fileChanged: String
    @Field(
        "at.end", default: "watch", doc: "After the last row: watch for new files, stop, loop over the files again, or tail files that grow",
        check: .oneOf(["watch", "stop", "loop", "tail"])) var atEnd: String
    @Field(
        "checkpoint.import.file", importance: .low,
        doc: "A file whose first number is how many rows another program has sent; read once, when the log has no offset") var checkpointImport: String?

    // MARK: How to read it

    @Field("csv.first.row.as.header", default: "true", doc: "Whether the first row names the columns", aliases: ["csv.first.row.as.header.enabled"])
    var firstRowAsHeader: Bool
    @Field("csv.separator.char", default: "44", doc: "The separator: a character, or its number as Spool Dir wants it; 9 is the tab") var separator: String
    @Field("csv.quote.char", default: "34", doc: "The quote: a character or its number; 0: none") var quote: String
    @Field("csv.escape.char", default: "0", doc: "The escape: a character or its number; 0: a doubled quote only (RFC 4180)") var escape: String
    @Field("csv.rfc.4180.parser.enabled", default: "false", importance: .low, doc: "True: csv.escape.char is not looked at") var isRFC4180: Bool
    @Field("csv.ignore.leading.whitespace", default: "false", importance: .low, doc: "Whether blanks before a field are taken off") var ignoresLeadingBlanks:
        Bool
    @Field("csv.ignore.quotations", default: "false", importance: .low, doc: "Whether quotes are text") var ignoresQuotations: Bool
    @Field("csv.strict.quotes", default: "false", importance: .low, doc: "Must be false: text outside of quotes is kept") var strictQuotes: Bool
    @Field("csv.keep.carriage.return", default: "false", importance: .low, doc: "Must be false: a carriage return before a line end is no data")
    var keepsCarriageReturn: Bool
    @Field("csv.skip.lines", default: "0", importance: .low, doc: "Lines before the header", check: .between(0, 1_000_000)) var skipLines: Int
    @Field(
        "csv.null.field.indicator", default: "EMPTY_SEPARATORS", doc: "Which empty fields of a string column are null; those of other types always are",
        check: .oneOf(["NEITHER", "EMPTY_SEPARATORS", "EMPTY_QUOTES", "BOTH"])) var nullFieldIndicator: String
    @Field("csv.null.string", default: "", doc: "A text outside of quotes that stands for null, such as NA") var nullText: String
    @Field("csv.file.charset", default: "UTF-8", doc: "The encoding: UTF-8, US-ASCII or ISO-8859-1", aliases: ["file.charset"]) var charset: String
    @Field("csv.case.sensitive.field.names", default: "true", importance: .low, doc: "False: declared names match the header in any case")
    var caseSensitiveNames: Bool

    // MARK: What it means

    @Field(
        "columns", importance: .high,
        doc: "Names and types: id long, amt decimal(18,2), at timestamp(dd.MM.yyyy HH:mm). With a header only the columns whose type is not to be inferred")
    var columns: String?
    @Field("value.schema", importance: .low, doc: "The columns as Spool Dir's JSON schema, instead of columns") var valueSchema: String?
    @Field("key.schema", importance: .low, doc: "The key as Spool Dir's JSON schema: the names of its fields are the key's columns") var keySchema: String?
    @Field("schema.generation.enabled", default: "true", importance: .low, doc: "Whether columns that are not declared are taken from the file")
    var schemaGeneration: Bool
    @Field("schema.generation.key.fields", default: "", doc: "Columns that make the key") var keyFields: [String]
    @Field("schema.generation.key.name", default: "com.github.jcustenborder.kafka.connect.model.Key", importance: .low, doc: "The key schema's name")
    var keyName: String
    @Field("schema.generation.value.name", default: "com.github.jcustenborder.kafka.connect.model.Value", importance: .low, doc: "The value schema's name")
    var valueName: String
    @Field("types.infer", default: "true", doc: "Whether the types of undeclared columns are inferred; false: strings, as Spool Dir generates them")
    var infersTypes: Bool
    @Field("types.infer.rows", default: "10000", importance: .low, doc: "Rows looked at to infer types", check: .between(1, 1_000_000)) var inferRows: Int
    @Field("parser.timestamp.timezone", default: "UTC", importance: .low, doc: "The zone of times without one: UTC, ±hh:mm or a name such as Europe/Paris")
    var timezone: String
    @Field("parser.timestamp.date.formats", default: "", importance: .low, doc: "Pattern of timestamp columns declared without one") var timestampFormats:
        String
    @Field(
        "timestamp.mode", default: "PROCESS_TIME", doc: "The records' timestamps: when they are read, the file's last change, or a column",
        check: .oneOf(["FIELD", "FILE_TIME", "PROCESS_TIME"])) var timestampMode: String
    @Field("timestamp.field", doc: "The column with timestamp.mode=FIELD") var timestampField: String?
    @Field(
        "metadata.location", default: "NONE", importance: .low, doc: "HEADERS: records say which file and row they came from",
        check: .oneOf(["NONE", "HEADERS"]))
    var metadataLocation: String

    // MARK: Replay

    @Field("rows.per.second", default: "0", doc: "Rows a second; 0: as fast as they can be read") var rowsPerSecond: Double
    @Field("time.column", doc: "A column that says when rows happened: rows come as far apart as it says") var timeColumn: String?
    @Field("speed", default: "1", doc: "With time.column: how many times faster than it was") var speed: Double

    // MARK: Enrichment

    @Field("enrich.fx.map", doc: "Currencies and what one of them is worth, such as EUR:1.17,DKK:0.16: adds the columns original_amt and currency")
    var fxMap: String?
    @Field("enrich.fx.amount.column", default: "amt", doc: "The amount that is divided by the rate; it is left out of the record") var fxAmount: String
    @Field("enrich.fx.choice", default: "random", doc: "How a row's currency is chosen: random, round-robin or column:NAME") var fxChoice: String
    @Field("enrich.fx.seed", default: "0", importance: .low, doc: "The same seed chooses the same currency for the same row") var fxSeed: Int64

    // MARK: The framework's, read here too

    @Field("errors.tolerance", default: "none", doc: "The framework's", listed: false) var tolerance: String
    @Field("errors.deadletterqueue.topic.name", default: "", doc: "The framework's", listed: false) var deadLetterTopic: String
    @Field("errors.log.enable", default: "false", doc: "The framework's", listed: false) var logsErrors: Bool

    public init() {}

    public func crossCheck() -> [Diagnostic] {
        var findings: [Diagnostic] = []
        func refuse(_ key: String, _ message: String) { findings.append(Diagnostic(key, message)) }
        if (file ?? "").isEmpty == (inputPath ?? "").isEmpty { refuse("file", "Give one of file and input.path") }
        if inputPath != nil, let pattern = inputFilePattern, (try? JavaPattern(pattern)) == nil {
            refuse("input.file.pattern", "It is no regular expression")
        }
        if inputPath != nil, inputFilePattern == nil { refuse("input.file.pattern", "input.path needs it") }
        if cleanupPolicy?.hasPrefix("MOVE") == true, finishedPath == nil { refuse("finished.path", "cleanup.policy=\(cleanupPolicy ?? "") needs it") }
        if atEnd == "loop", cleanup != .none { refuse("at.end", "loop reads the files again: cleanup.policy must be NONE") }
        if strictQuotes { refuse("csv.strict.quotes", "true is not supported: text outside of quotes is data here") }
        if keepsCarriageReturn { refuse("csv.keep.carriage.return", "true is not supported: a carriage return before a line end is no data") }
        if rowsPerSecond < 0 { refuse("rows.per.second", "It must not be negative") }
        if rowsPerSecond > 0, timeColumn != nil { refuse("rows.per.second", "Give one of rows.per.second and time.column") }
        if !(speed > 0) { refuse("speed", "It must be greater than 0") }
        if timestampMode == "FIELD", timestampField == nil { refuse("timestamp.field", "timestamp.mode=FIELD needs it") }
        do { _ = try CSVSettings(self) } catch { findings.append(Diagnostic(error.key, error.message)) }
        return findings
    }

    enum Cleanup: Sendable { case none, delete, move, moveByDate }
    var cleanup: Cleanup {
        switch cleanupPolicy ?? (finishedPath == nil ? "NONE" : "MOVE") {
        case "DELETE": .delete
        case "MOVE": .move
        case "MOVEBYDATE": .moveByDate
        default: .none
        }
    }
}
