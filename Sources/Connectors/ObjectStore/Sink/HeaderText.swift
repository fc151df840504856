import ConnectAPI
import JSON

/// A header's value as text: strings as they are, everything else as JSON.
enum HeaderText {
    static func text(_ header: HeaderColumn, _ row: Int) -> String? {
        switch header.values[row] {
        case .null: return nil
        case .string(let text): return text
        case let value:
            var out = JSONWriter()
            ConnectJSONValue.write(value, header.values.schema, ConnectJSONOptions(schemasEnabled: false), to: &out)
            return String(decoding: out.take(), as: UTF8.self)
        }
    }
}
