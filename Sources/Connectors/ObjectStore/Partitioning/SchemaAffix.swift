/// `s3.schema.partition.affix.type`: a directory `schema_name=<name>` before or after the partitioner's, as Confluent's `SchemaPartitioner` makes it.
struct SchemaAffix: Sendable {
    enum Place: String, Sendable { case prefix = "PREFIX", suffix = "SUFFIX" }
    let place: Place
    let delimiter: String

    /// `name` is the value schema's; the word null stands where it has none.
    func directory(_ directory: String, schema name: String?) -> String {
        let own = "schema_name=\(name ?? "null")"
        return place == .prefix ? own + delimiter + directory : directory + delimiter + own
    }
}
