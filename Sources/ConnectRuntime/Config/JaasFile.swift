import ConnectAPI

/// A login configuration of Java: entries of login modules with flags and options.
enum JaasFile {
    struct Module: Sendable, Hashable {
        let className: String
        let flag: String
        let options: [String: String]
    }

    /// By entry name. Throws `worker.jaas` with the line.
    static func parse(_ text: String, file: String) throws -> [String: [Module]] {
        var words = try Self.words(text, file: file)[...]
        func fail(_ what: String) -> ConnectorError {
            ConnectorError("worker.jaas", .stop, "\(file), line \(words.first?.line ?? text.split(separator: "\n").count): \(what) is expected")
        }
        func next(_ what: String, _ isFine: (String) -> Bool = { !["{", "}", ";", "="].contains($0) }) throws -> String {
            guard let word = words.first, isFine(word.text) else { throw fail(what) }
            words.removeFirst()
            return word.text
        }
        var entries: [String: [Module]] = [:]
        while !words.isEmpty {
            let name = try next("an entry's name")
            _ = try next("'{'") { $0 == "{" }
            var modules: [Module] = []
            while words.first?.text != "}" {
                let className = try next("a login module or '}'"), flag = try next("required, requisite, sufficient or optional")
                var options: [String: String] = [:]
                while words.first?.text != ";" {
                    let key = try next("an option or ';'")
                    _ = try next("'='") { $0 == "=" }
                    options[key] = try next("the option's value")
                }
                words.removeFirst()
                modules.append(Module(className: className, flag: flag, options: options))
            }
            words.removeFirst()
            _ = try next("';'") { $0 == ";" }
            entries[name] = modules
        }
        return entries
    }

    private static func words(_ text: String, file: String) throws -> [(text: String, line: Int)] {
        var words: [(text: String, line: Int)] = [], rest = text[...], line = 1
        func skip(_ count: Int) {
            line += rest.prefix(count).count(where: \.isNewline)
            rest = rest.dropFirst(count)
        }
        while let c = rest.first {
            if c.isWhitespace {
                skip(1)
            } else if rest.hasPrefix("//") {
                skip(rest.prefix { !$0.isNewline }.count)
            } else if rest.hasPrefix("/*") {
                let comment = rest.dropFirst(2)
                var end = comment.startIndex
                while end < comment.endIndex, !comment[end...].hasPrefix("*/") { end = comment.index(after: end) }
                skip(comment[..<end].count + 4)
            } else if c == "\"" {
                let quoted = rest.dropFirst().prefix { $0 != "\"" }
                guard rest.dropFirst(quoted.count + 1).first == "\"" else {
                    throw ConnectorError("worker.jaas", .stop, "\(file), line \(line): a quotation mark has no end")
                }
                words.append((String(quoted), line))
                skip(quoted.count + 2)
            } else if "{};=".contains(c) {
                words.append((String(c), line))
                skip(1)
            } else {
                let word = rest.prefix { !$0.isWhitespace && !"{};=\"".contains($0) }
                words.append((String(word), line))
                skip(word.count)
            }
        }
        return words
    }
}
