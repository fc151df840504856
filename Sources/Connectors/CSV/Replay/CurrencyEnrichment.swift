import ConnectAPI

/// Adds `currency` and `original_amt`, the amount in that currency, and leaves the amount itself out.
///
/// A row's currency depends on the seed and the row's number only, so that a restart chooses the same again.
struct CurrencyEnrichment: Sendable {
    enum Choice: Sendable { case random, roundRobin, column(String) }

    let amountColumn: String
    private let codes: [String]
    private let rates: [Double]
    private let choice: Choice
    private let seed: UInt64

    static let amountField = Schema.Field("original_amt", Schema(.float64, optional: true))
    static let currencyField = Schema.Field("currency", Schema(.string, optional: true))

    init?(_ configuration: CSVSourceConfiguration) throws(CSVSettings.Problem) {
        guard let text = configuration.fxMap, !text.isEmpty else { return nil }
        var codes: [String] = [], rates: [Double] = []
        for entry in text.split(separator: ",") {
            let parts = entry.split(separator: ":")
            guard parts.count == 2, let rate = Double(parts[1].trimmingSpaces()), rate > 0, rate.isFinite else {
                throw CSVSettings.Problem("enrich.fx.map", "It must be currencies and rates above 0, such as EUR:1.17,DKK:0.16")
            }
            codes.append(parts[0].trimmingSpaces())
            rates.append(rate)
        }
        switch configuration.fxChoice {
        case "random": choice = .random
        case "round-robin": choice = .roundRobin
        case let named where named.hasPrefix("column:") && named.count > 7: choice = .column(String(named.dropFirst(7)))
        default: throw CSVSettings.Problem("enrich.fx.choice", "It must be random, round-robin or column:NAME")
        }
        self.codes = codes
        self.rates = rates
        amountColumn = configuration.fxAmount
        seed = UInt64(bitPattern: configuration.fxSeed)
    }

    /// The columns a file must have.
    var neededColumns: [String] { if case .column(let name) = choice { [amountColumn, name] } else { [amountColumn] } }

    /// The columns of the record: the file's without the amount, then the two. `rows` are the rows' numbers in the file.
    func apply(_ columns: [(name: String, column: Column)], rows: [Int64]) -> [(name: String, column: Column)] {
        guard let amounts = columns.first(where: { $0.name == amountColumn })?.column else { return columns }
        let given: Column? = if case .column(let name) = choice { columns.first { $0.name == name }?.column } else { nil }
        var original: [Double] = [], currency = VarBytes(), isKnown = Bitmap(), hasAmount = Bitmap()
        original.reserveCapacity(rows.count)
        let texts = codes.map { Array($0.utf8) }, values = Self.doubles(amounts)
        for (i, row) in rows.enumerated() {
            var index: Int?
            switch choice {
            case .roundRobin: index = Int(row % Int64(codes.count))
            case .random: index = Int(Self.mixed(seed &+ UInt64(row) &* 0x9E37_79B9_7F4A_7C15) % UInt64(codes.count))
            case .column: index = given?[i].stringValue.flatMap { codes.firstIndex(of: $0) }
            }
            let value = index.flatMap { rate in values[i].map { $0 / rates[rate] } }
            original.append(value ?? 0)
            hasAmount.append(value != nil)
            currency.append(index.map { texts[$0] } ?? [])
            isKnown.append(index != nil)
        }
        var out = columns.filter { $0.name != amountColumn && $0.name != Self.currencyField.name }
        out.append(
            (Self.currencyField.name, given ?? Column(Self.currencyField.schema, count: rows.count, .utf8(currency), validity: isKnown)))
        out.append((Self.amountField.name, Column(Self.amountField.schema, count: rows.count, .float64(original), validity: hasAmount)))
        return out
    }

    private static func doubles(_ column: Column) -> [Double?] {
        (0..<column.count).map { row in
            if column.isNull(row) { return nil }
            switch column.storage {
            case .float64(let values): return values[row]
            case .int64(let values): return Double(values[row])
            case .int32(let values): return Double(values[row])
            case .float32(let values): return Double(values[row])
            case .decimal128(let values):
                let scale = column.schema.parameter("scale").flatMap { Int($0) } ?? 0
                return Double(values[row]) / (0..<scale).reduce(1.0) { power, _ in power * 10 }
            default: return column[row].stringValue.flatMap { Double($0) }
            }
        }
    }

    /// SplitMix64's finish.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var z = value &+ 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
