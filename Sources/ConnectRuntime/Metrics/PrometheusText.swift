import ConnectAPI

/// Prometheus's text format: families with their samples, names and labels as the format demands.
package struct PrometheusText {
    package private(set) var text = ""
    private var family = ""

    package init() {}

    package mutating func add(_ name: String, _ value: Double, help: String = "") { add(name, [], value, help: help) }

    /// One sample. Samples of one metric follow one another; the first writes its `# HELP` and `# TYPE`.
    package mutating func add(_ name: String, _ labels: [(String, String)], _ value: Double, help: String = "") {
        let name = Self.name(name)
        begin(name, name.hasSuffix("_total") ? "counter" : "gauge", help: help)
        sample(name, labels, value)
    }

    /// One histogram: how many were at most each bound, all of them, and their sum.
    package mutating func add(_ name: String, _ labels: [(String, String)], _ histogram: MetricsRegistry.Histogram) {
        let name = Self.name(name)
        begin(name, "histogram", help: "")
        var count = 0
        for (bound, more) in zip(MetricsRegistry.Histogram.bounds + [.infinity], histogram.counts) {
            count += more
            sample(name + "_bucket", labels + [("le", Self.number(bound))], Double(count))
        }
        sample(name + "_sum", labels, histogram.sum)
        sample(name + "_count", labels, Double(count))
    }

    private mutating func begin(_ name: String, _ type: String, help: String) {
        guard family != name else { return }
        family = name
        if !help.isEmpty { text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n" }
        text += "# TYPE \(name) \(type)\n"
    }

    private mutating func sample(_ name: String, _ labels: [(String, String)], _ value: Double) {
        text += name
        if !labels.isEmpty {
            text += "{" + labels.map { "\(Self.name($0))=\"\(Self.escaped($1, quotes: true))\"" }.joined(separator: ",") + "}"
        }
        text += " \(Self.number(value))\n"
    }

    private static func name(_ text: String) -> String {
        String(text.map { c in c.isASCII && (c.isLetter || c.isNumber || c == "_" || c == ":") ? c : "_" })
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var out = ""
        for c in text {
            switch c {
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\"" where quotes: out += "\\\""
            default: out.append(c)
            }
        }
        return out
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return String(value)
    }
}
