import ConnectAPI
import JSON

/// A request to a running connector: a row of the signal table (`signal.data.collection`) or a line of the signal file.
///
/// The table has three columns in this order, whatever their names: id, type, data.
struct Signal: Sendable, Hashable {
    let id: String
    let type: String
    /// JSON; empty for some types.
    let data: String
    /// The row was deleted: how `insert_delete` closes a window.
    var isDelete = false

    /// A row change of the signal table; nil: a change that is no signal.
    init?(_ change: RowChange, in message: UnsafeRawBufferPointer) throws {
        guard change.kind != .update else { return nil }
        isDelete = change.kind == .delete
        do throws(MalformedMessage) {
            let texts = try Self.texts(message, at: isDelete ? change.oldTuple : change.newTuple)
            guard let id = texts.first ?? nil else { return nil }
            self.id = id
            type = (texts.count > 1 ? texts[1] : nil) ?? ""
            data = (texts.count > 2 ? texts[2] : nil) ?? ""
        } catch {
            throw error.located(in: "row of the signal table")
        }
    }

    /// One line of a signal file or one message: `{"id":"…","type":"execute-snapshot","data":{…}}`; nil: it is no such thing.
    init?(json text: String) {
        guard let object = try? JSONValue.parse(text), let type = object["type"]?.stringValue else { return nil }
        id = object["id"]?.scalarText ?? ""
        self.type = type
        switch object["data"] {
        case .string(let text)?: data = text
        case let value?: data = value.text
        case nil: data = ""
        }
    }

    init(id: String, type: String, data: String = "") {
        self.id = id
        self.type = type
        self.data = data
    }

    /// The first three values of a tuple; texts look the same in both formats.
    private static func texts(_ message: UnsafeRawBufferPointer, at tuple: Int) throws(MalformedMessage) -> [String?] {
        var cursor = ByteCursor(message, at: tuple), texts: [String?] = []
        for _ in 0..<min(3, max(0, Int(try cursor.int16()))) {
            let kind = try cursor.uint8()
            guard kind == UInt8(ascii: "t") || kind == UInt8(ascii: "b") else {
                texts.append(nil)
                continue
            }
            texts.append(String(decoding: try cursor.take(Int(try cursor.int32())), as: UTF8.self))
        }
        return texts
    }
}

/// What `execute-snapshot` and `stop-snapshot` ask for.
struct SnapshotRequest: Sendable {
    /// Regular expressions over `schema.table`; empty: all, when stopping.
    var collections: [String] = []
    /// Conditions by regular expression.
    var conditions: [(collection: String, filter: String)] = []
    var surrogateKey: String?
    var isBlocking = false

    /// nil: the text is no JSON object.
    init?(_ text: String) {
        guard let object = try? JSONValue.parse(text.isEmpty ? "{}" : text), object.objectValue != nil else { return nil }
        collections = (object["data-collections"]?.arrayValue ?? []).compactMap(\.stringValue)
        isBlocking = object["type"]?.stringValue?.lowercased() == "blocking"
        surrogateKey = object["surrogate-key"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        for condition in object["additional-conditions"]?.arrayValue ?? [] {
            guard let collection = condition["data-collection"]?.stringValue, let filter = condition["filter"]?.stringValue else { continue }
            conditions.append((collection, filter))
        }
        // The older spelling is for every collection.
        if let filter = object["additional-condition"]?.stringValue, !filter.isEmpty { conditions.append((".*", filter)) }
    }
}

extension JSONValue {
    /// Compact JSON.
    var text: String {
        var writer = JSONWriter()
        write(to: &writer)
        return String(decoding: writer.take(), as: UTF8.self)
    }
}
