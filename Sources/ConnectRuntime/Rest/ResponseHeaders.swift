import ConnectAPI

/// `response.http.headers.config`: headers added to every answer, as rules `set|add|setDate|addDate name: value`, separated by commas. A date rule's
/// value is milliseconds from the answer's time on.
package struct ResponseHeaders: Sendable {
    private struct Rule: Sendable {
        let replaces: Bool
        let name: String
        let value: String
        let delay: Int64?
    }
    private let rules: [Rule]

    /// Throws `worker.config` with the rule that is none.
    package init(_ text: String) throws {
        // A rule whose value holds a comma stands in quotation marks.
        rules = try Self.items(text).map { item in
            let head = item.split(separator: " ", maxSplits: 1).map(String.init)
            let pair = (head.last ?? "").split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { $0.trimmingSpaces() }
            let action = head.first?.lowercased() ?? "", isDate = action.hasSuffix("date")
            guard head.count == 2, ["set", "add", "setdate", "adddate"].contains(action), pair.count == 2, !pair[0].isEmpty, !pair[0].contains(" "),
                !isDate || Int64(pair[1]) != nil
            else {
                throw ConnectorError(
                    "worker.config", .stop, "Invalid value '\(item)' for configuration response.http.headers.config",
                    hint: "Write [set|add|setDate|addDate] name: value, separated by commas")
            }
            return Rule(replaces: action.hasPrefix("set"), name: pair[0], value: pair[1], delay: isDate ? Int64(pair[1]) : nil)
        }
    }

    private static func items(_ text: String) -> [String] {
        var items: [String] = [], item = "", isQuoted = false
        for c in text {
            if c == "\"" {
                isQuoted.toggle()
            } else if c == ",", !isQuoted {
                items.append(item)
                item = ""
            } else {
                item.append(c)
            }
        }
        return (items + [item]).map { $0.trimmingSpaces() }.filter { !$0.isEmpty }
    }

    func mark(_ response: HTTPResponse) -> HTTPResponse {
        guard !rules.isEmpty else { return response }
        var response = response
        for rule in rules {
            if rule.replaces { response.headers.removeAll { $0.name.lowercased() == rule.name.lowercased() } }
            response.headers.append((rule.name, rule.delay.map { Self.date(WallClock.milliseconds + $0) } ?? rule.value))
        }
        return response
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    static func date(_ milliseconds: Int64) -> String {
        let (day, inDay) = milliseconds.flooredDivision(by: 86_400_000)
        let civil = ISO8601.civil(day: day)
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int((day % 7 + 7) % 7)]
        let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][civil.month - 1]
        var out = Array("\(weekday), ".utf8)
        ISO8601.appendDigits(UInt64(civil.day), width: 2, to: &out)
        out += Array(" \(month) \(civil.year) ".utf8)
        ISO8601.appendTime(micros: inDay * 1000, fractionDigits: 0, to: &out)
        return String(decoding: out, as: UTF8.self) + " GMT"
    }
}
