import ConnectAPI
import CSV
import JSON

/// Reads the JSON of Spool Dir's `key.schema` and `value.schema`: `{"type":"STRUCT","fieldSchemas":{"id":{"type":"INT64","isOptional":false}}}`.
enum SpoolDirSchema {
    static func columns(_ text: String, key: String) throws(CSVSettings.Problem) -> [CSVColumn] {
        guard let json = try? JSONValue.parse(text), let fields = json["fieldSchemas"]?.objectValue, !fields.isEmpty else {
            throw CSVSettings.Problem(key, "It must be a JSON object with fieldSchemas")
        }
        var columns: [CSVColumn] = []
        for member in fields.members {
            guard let type = type(member.value) else {
                throw CSVSettings.Problem(key, "Field \(member.key) is of a type that a CSV file cannot hold")
            }
            columns.append(CSVColumn(member.key, type, optional: member.value["isOptional"]?.boolValue ?? false))
        }
        return columns
    }

    private static func type(_ field: JSONValue) -> CSVColumnType? {
        switch (field["type"]?.stringValue ?? "", field["name"]?.stringValue) {
        case ("BYTES", LogicalName.decimal):
            .decimal(precision: nil, scale: field["parameters"]?["scale"]?.scalarText.flatMap { Int($0) } ?? 0)
        case ("INT32", LogicalName.connectDate): .date(nil)
        case ("INT64", LogicalName.connectTimestamp): .timestamp(nil, micros: false)
        case ("INT8", _): .int8
        case ("INT16", _): .int16
        case ("INT32", _): .int32
        case ("INT64", _): .int64
        case ("FLOAT32", _): .float32
        case ("FLOAT64", _): .float64
        case ("BOOLEAN", _): .boolean
        case ("STRING", _): .string
        default: nil
        }
    }
}
