/// A place in a JSON document (RFC 6901): `/data/items/0`, `~1` for `/` and `~0` for `~`. The empty pointer is the whole document.
package struct JSONPointer: Sendable, Hashable {
    package let text: String
    private let steps: [String]

    /// A pointer that does not begin with `/` is taken as if it did; `/` alone is the document, as Kafka's HTTP connectors use it. nil: a `~` that is
    /// neither `~0` nor `~1`.
    package init?(_ text: String) {
        self.text = text
        if text.isEmpty || text == "/" {
            steps = []
            return
        }
        var steps: [String] = []
        for part in (text.hasPrefix("/") ? text.dropFirst() : text[...]).split(separator: "/", omittingEmptySubsequences: false) {
            var step = "", rest = part
            while let c = rest.popFirst() {
                guard c == "~" else {
                    step.append(c)
                    continue
                }
                switch rest.popFirst() {
                case "0": step.append("~")
                case "1": step.append("/")
                default: return nil
                }
            }
            steps.append(step)
        }
        self.steps = steps
    }

    /// The last step, which names what is pointed at; nil for the document.
    package var lastStep: String? { steps.last }

    /// The value there; nil: there is none.
    package func value(in document: JSONValue) -> JSONValue? {
        var value = document
        for step in steps {
            switch value {
            case .object(let object):
                guard let member = object[step] else { return nil }
                value = member
            case .array(let items):
                guard let index = Int(step), items.indices.contains(index), step == String(index) else { return nil }
                value = items[index]
            default: return nil
            }
        }
        return value
    }
}
