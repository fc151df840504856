/// Draws texts that a regular expression matches: literals, `.`, classes, `\d \w \s`, groups with alternatives, and `? * + {n} {n,m}`.
struct TextPattern: Sendable {
    private indirect enum Node: Sendable {
        case characters([Character])
        case sequence([Node])
        case alternatives([Node])
        case `repeat`(Node, ClosedRange<Int>)
    }
    private let node: Node

    private static let digits = Array("0123456789"), small = Array("abcdefghijklmnopqrstuvwxyz"), large = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    /// How often `*` and `+` repeat at most.
    private static let endless = 8

    init(_ text: String, _ place: String) throws(TemplateError) {
        var rest = text[...]
        node = try Self.alternatives(&rest, text, place)
        guard rest.isEmpty else { throw TemplateError("\(place): the regex \(text) has a ) that opens nowhere") }
    }

    private static func alternatives(_ rest: inout Substring, _ text: String, _ place: String) throws(TemplateError) -> Node {
        var all: [Node] = [], sequence: [Node] = []
        while let c = rest.first, c != ")" {
            rest.removeFirst()
            var node: Node
            switch c {
            case "|":
                all.append(.sequence(sequence))
                sequence = []
                continue
            case "^", "$": continue
            case "(":
                if rest.hasPrefix("?:") { rest = rest.dropFirst(2) }
                node = try alternatives(&rest, text, place)
                guard rest.popFirst() == ")" else { throw TemplateError("\(place): the regex \(text) has a ( that is not closed") }
            case "[": node = .characters(try characterClass(&rest, text, place))
            case ".": node = .characters(small + large + digits)
            case "\\": node = .characters(try escaped(&rest, text, place))
            default: node = .characters([c])
            }
            if let range = try repetition(&rest, text, place) { node = .repeat(node, range) }
            sequence.append(node)
        }
        all.append(.sequence(sequence))
        return all.count == 1 ? all[0] : .alternatives(all)
    }

    private static func escaped(_ rest: inout Substring, _ text: String, _ place: String) throws(TemplateError) -> [Character] {
        guard let c = rest.popFirst() else { throw TemplateError("\(place): the regex \(text) ends with a backslash") }
        switch c {
        case "d": return digits
        case "w": return small + large + digits + ["_"]
        case "s": return [" "]
        case "t": return ["\t"]
        case "n": return ["\n"]
        default:
            guard !c.isLetter && !c.isNumber else { throw TemplateError("\(place): \\\(c) in the regex \(text) is not known") }
            return [c]
        }
    }

    private static func characterClass(_ rest: inout Substring, _ text: String, _ place: String) throws(TemplateError) -> [Character] {
        var characters: [Character] = []
        while let c = rest.popFirst(), c != "]" {
            if c == "^", characters.isEmpty { throw TemplateError("\(place): negated classes are not known in the regex \(text)") }
            if c == "\\" {
                characters += try escaped(&rest, text, place)
            } else if rest.first == "-", let end = rest.dropFirst().first, end != "]" {
                rest = rest.dropFirst(2)
                guard let low = c.unicodeScalars.first?.value, let high = end.unicodeScalars.first?.value, low <= high, high - low < 1000 else {
                    throw TemplateError("\(place): the range \(c)-\(end) of the regex \(text) is none")
                }
                characters += (low...high).compactMap { UnicodeScalar($0).map { Character($0) } }
            } else {
                characters.append(c)
            }
        }
        guard !characters.isEmpty else { throw TemplateError("\(place): the regex \(text) has an empty class") }
        return characters
    }

    private static func repetition(_ rest: inout Substring, _ text: String, _ place: String) throws(TemplateError) -> ClosedRange<Int>? {
        switch rest.first {
        case "?": rest.removeFirst(); return 0...1
        case "*": rest.removeFirst(); return 0...endless
        case "+": rest.removeFirst(); return 1...endless
        case "{":
            guard let close = rest.firstIndex(of: "}") else { throw TemplateError("\(place): the regex \(text) has a { that is not closed") }
            let numbers = rest[rest.index(after: rest.startIndex)..<close].split(separator: ",", omittingEmptySubsequences: false)
            rest = rest[rest.index(after: close)...]
            guard let low = numbers.first.flatMap({ Int($0) }), numbers.count <= 2,
                let high = numbers.count == 1 ? low : numbers[1].isEmpty ? low + endless : Int(numbers[1]), low <= high, high <= 1000, low >= 0
            else { throw TemplateError("\(place): a repetition of the regex \(text) is none") }
            return low...high
        default: return nil
        }
    }

    func text(_ random: inout SplitMix) -> String {
        var out = ""
        Self.draw(node, &random, &out)
        return out
    }

    private static func draw(_ node: Node, _ random: inout SplitMix, _ out: inout String) {
        switch node {
        case .characters(let characters): out.append(characters[Int.random(in: 0..<characters.count, using: &random)])
        case .sequence(let nodes): for node in nodes { draw(node, &random, &out) }
        case .alternatives(let nodes): draw(nodes[Int.random(in: 0..<nodes.count, using: &random)], &random, &out)
        case .repeat(let node, let range): for _ in 0..<Int.random(in: range, using: &random) { draw(node, &random, &out) }
        }
    }
}
