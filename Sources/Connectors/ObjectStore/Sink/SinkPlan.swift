import ConnectAPI

/// What a configuration means to the engine: everything but the store. Each face of the sink (Confluent's S3, Aiven's GCS and S3) makes one.
struct SinkPlan: Sendable {
    var naming: FileNaming
    var formats: FileFormats
    var partitioner: Partitioner.Kind
    /// nil: directories do not show the schema's name.
    var schemaAffix: SchemaAffix?
    var rotation: PartitionRotation.Policy
    var nulls = NullValues.fail
    /// The member of the value that is written; empty: the whole.
    var payloadPath: [String] = []
    /// nil: the value as it is.
    var output: OutputFields?
    /// The directory of tombstones when their keys are stored (`behavior.on.null.values=write` with `store.kafka.keys`).
    var tombstoneDirectory: String?
    /// A file holds the newest record of its group only, and replaces the one before it.
    var keepsNewest = false
    /// A record with this header is the last of its files.
    var boundaryHeader: String?
    /// 0: no limit, for each of these.
    var fileMaxRecords = 0
    var fileMaxBytes = 0
    var fileMaxAge: Int64 = 0
    var maxUncommitted: Int64 = 300_000
    var partSize: Int
    /// A ledger lists what is stored, so that names need not follow from records.
    private(set) var keepsLedger = false
    /// Objects are created only where there is none.
    var conditional = true
    /// Milliseconds between attempts to store a file once the store's own retries are used up.
    var retryBackoff: Int64 = 5000
    var tags: ObjectTags?
    var flushOnStop = false
    /// Milliseconds after which an unfinished upload is nobody's; negative: they are left alone.
    var orphanAge: Int64 = -1
    enum Schemaless: Sendable {
        /// The union of their members is kept, as columns.
        case columns
        /// One column of JSON text.
        case text
    }
    /// Values come without schemas and files have columns; nil: they come with schemas, or files have no columns.
    var schemaless: Schemaless?
    /// Columns that directories show already and files leave out, in lower case.
    var droppedFields: Set<String> = []
    /// Records without a value that are ignored go to the dead letter queue.
    var reportsNulls = false
    /// Milliseconds between watermark objects; negative: there are none.
    var watermarkInterval: Int64 = -1
    /// Milliseconds after its end at which a directory of time is closed; negative: no manifests.
    var manifestDelay: Int64 = -1
    /// nil: small files stay as they are.
    var compaction: CompactionPolicy?
    /// Said when the task is made.
    var notices: [String] = []
    var warnings: [String] = []

    /// Everything a lane has open is cut together; no directory is cut by itself.
    mutating func keepLedger() {
        keepsLedger = true
        naming.isUnique = true
        if fileMaxRecords > 0 { rotation.flushSize = rotation.flushSize > 0 ? min(rotation.flushSize, fileMaxRecords) : fileMaxRecords }
        fileMaxRecords = 0
    }
}
