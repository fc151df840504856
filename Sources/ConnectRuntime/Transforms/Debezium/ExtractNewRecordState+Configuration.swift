import ConnectAPI

extension ExtractNewRecordState {
    struct Configuration: ConnectConfiguration {
        @Field(
            "delete.tombstone.handling.mode", default: "tombstone", doc: "What becomes of delete events and tombstones", order: 1,
            width: .medium,
            displayName: "Handle delete and tombstone records",
            check: .oneOfIgnoringCase(["drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone"]))
        private var handlingMode: String
        @Field(
            "route.by.field", default: "", importance: .low, doc: "The column whose value becomes the topic", order: 1, width: .long,
            displayName: "Route by field name")
        var routeByField: String
        @Field(
            "add.fields.prefix", default: "__", importance: .low, doc: "Begins the name of every added field", order: 1, width: .short,
            displayName: "Field prefix to be added to each field.")
        var addFieldsPrefix: String
        @Field(
            "add.fields", default: "", importance: .low,
            doc: "Fields of the envelope to add to the row: field, struct.field or struct.field:newName", order: 1,
            width: .long, displayName: "Adds the specified field(s) to the message if they exist.")
        var addFields: [String]
        @Field(
            "add.headers.prefix", default: "__", importance: .low, doc: "Begins the name of every added header", order: 1, width: .short,
            displayName: "Header prefix to be added to each header.")
        var addHeadersPrefix: String
        @Field(
            "add.headers", default: "", importance: .low, doc: "Fields of the envelope to add as headers", order: 1, width: .long,
            displayName: "Adds the specified fields to the header if they exist.")
        var addHeaders: [String]
        @Field(
            "drop.fields.header.name", importance: .low, doc: "The header that lists columns to drop, such as ExtractChangedRecordState writes", order: 1,
            width: .short,
            displayName: "Specifies a header that contains a list of field names to be removed")
        var dropFieldsHeader: String?
        @Field(
            "drop.fields.from.key", default: "false", importance: .low, doc: "Drop them from the key as well", order: 1, width: .short,
            displayName: "Specifies whether the fields to be dropped should also be omitted from the key")
        var dropFieldsFromKey: Bool
        @Field(
            "drop.fields.keep.schema.compatible", default: "true", importance: .low, doc: "Drop only optional columns", order: 1, width: .short,
            displayName: "Specifies if fields are dropped, will the event's schemas be compatible")
        var dropFieldsKeepSchemaCompatible: Bool
        @Field("replace.null.with.default", default: "true", doc: "Put the default of a column instead of its null", listed: false)
        var replacesNullWithDefault: Bool
        // As many tutorials still spell it.
        @Field("drop.tombstones", doc: "Legacy: see delete.tombstone.handling.mode", listed: false) var legacyDropTombstones: Bool?
        @Field(
            "delete.handling.mode", doc: "Legacy: see delete.tombstone.handling.mode",
            check: .oneOfIgnoringCase(["drop", "rewrite", "none"]), listed: false)
        private var legacyDeleteMode: String?
        init() {}

        /// The mode in force; the legacy keys decide when one of them is given.
        var mode: String {
            guard legacyDropTombstones != nil || legacyDeleteMode != nil else { return handlingMode.lowercased() }
            switch (legacyDropTombstones ?? true, legacyDeleteMode?.lowercased() ?? "drop") {
            case (_, "none"): return "none"
            case (true, "rewrite"): return "rewrite"
            case (false, "rewrite"): return "rewrite-with-tombstone"
            case (false, _): return "tombstone"
            default: return "drop"
            }
        }
    }
}
