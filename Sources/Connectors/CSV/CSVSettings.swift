import ConnectAPI
import CSV
import JSON

/// The configuration's texts, read: characters, types, rates.
struct CSVSettings: Sendable {
    /// What is wrong with which key.
    struct Problem: Error {
        let key: String
        let message: String
        init(_ key: String, _ message: String) {
            self.key = key
            self.message = message
        }
    }

    let dialect: CSVDialect
    let charset: CSVColumnReader.Charset
    let nulls: CSVColumnReader.Nulls
    let declared: [CSVColumn]
    let keyFields: [String]
    /// Of times without one.
    let zone: TimeZoneRules
    let enrichment: CurrencyEnrichment?

    init(_ configuration: CSVSourceConfiguration) throws(Problem) {
        var dialect = CSVDialect()
        guard let separator = try Self.character("csv.separator.char", configuration.separator) else {
            throw Problem("csv.separator.char", "There must be a separator")
        }
        dialect.separator = separator
        dialect.quote = configuration.ignoresQuotations ? nil : try Self.character("csv.quote.char", configuration.quote)
        let escape = configuration.isRFC4180 ? nil : try Self.character("csv.escape.char", configuration.escape)
        dialect.escape = escape == dialect.quote ? nil : escape
        dialect.ignoresLeadingBlanks = configuration.ignoresLeadingBlanks
        if dialect.separator == dialect.quote || dialect.separator == dialect.escape {
            throw Problem("csv.separator.char", "Separator, quote and escape must differ")
        }
        self.dialect = dialect

        switch configuration.charset.uppercased() {
        case "UTF-8", "UTF8", "US-ASCII", "ASCII": charset = .utf8
        case "ISO-8859-1", "LATIN1": charset = .latin1
        default: throw Problem("csv.file.charset", "Only UTF-8, US-ASCII and ISO-8859-1 are read; convert the file, for example with iconv")
        }

        var nulls = CSVColumnReader.Nulls()
        nulls.unquotedEmpty = ["EMPTY_SEPARATORS", "BOTH"].contains(configuration.nullFieldIndicator)
        nulls.quotedEmpty = ["EMPTY_QUOTES", "BOTH"].contains(configuration.nullFieldIndicator)
        nulls.text = Array(configuration.nullText.utf8)
        self.nulls = nulls

        do {
            zone = try TimeZoneRules(configuration.timezone)
        } catch {
            throw Problem("parser.timestamp.timezone", error.description)
        }
        declared = try Self.declared(configuration)
        var keyFields = configuration.keyFields.filter { !$0.isEmpty }
        if let json = configuration.keySchema, keyFields.isEmpty { keyFields = try SpoolDirSchema.columns(json, key: "key.schema").map(\.name) }
        self.keyFields = keyFields
        enrichment = try CurrencyEnrichment(configuration)
    }

    private static func declared(_ configuration: CSVSourceConfiguration) throws(Problem) -> [CSVColumn] {
        if configuration.columns != nil, configuration.valueSchema != nil { throw Problem("columns", "Give one of columns and value.schema") }
        if let json = configuration.valueSchema { return try SpoolDirSchema.columns(json, key: "value.schema") }
        do {
            let columns = try CSVColumn.list(configuration.columns ?? "")
            if columns.isEmpty, !configuration.schemaGeneration {
                throw Problem("schema.generation.enabled", "false needs value.schema or columns")
            }
            let formats = configuration.timestampFormats
            guard !formats.isEmpty else { return columns }
            let pattern = try DateTimePattern(formats)
            return columns.map { $0.type == .timestamp(nil, micros: false) ? CSVColumn($0.name, .timestamp(pattern, micros: false)) : $0 }
        } catch let problem as Problem {
            throw problem
        } catch {
            throw Problem("columns", "\(error)")
        }
    }

    /// `;`, `59` or `\t`; nil for 0. A single digit is a number, as Spool Dir reads it.
    private static func character(_ key: String, _ text: String) throws(Problem) -> UInt8? {
        if text == "\\t" { return 9 }
        if let number = Int(text) {
            guard (0...127).contains(number), number != 10, number != 13 else { throw Problem(key, "It must be one ASCII character") }
            return number == 0 ? nil : UInt8(number)
        }
        guard text.utf8.count == 1, let byte = text.utf8.first, byte < 128 else { throw Problem(key, "It must be one ASCII character, or its number") }
        return byte
    }
}
