package import ConnectAPI

/// A single message transform, over a whole batch at a time: one record in, at most one out, order kept.
///
/// A transform may split a batch (rows that now differ in topic or schema), drop rows, or change columns. Row `i` of an output batch came from
/// row `origins[i]` of the input, so that sinks keep exact offsets. The result must not depend on how records were cut into batches.
package protocol Transform: Sendable {
    associatedtype Configuration: ConnectConfiguration
    static var className: String { get }
    init(_ configuration: Configuration) throws
    func apply(_ batch: TransformedBatch) throws -> [TransformedBatch]
}

/// A transform that asks a database about records it has not seen the like of.
package protocol DatabaseTransform: Transform {
    init(_ configuration: Configuration, _ database: @escaping DatabaseQuery) throws
}

extension DatabaseTransform {
    package init(_ configuration: Configuration) throws {
        try self.init(configuration) { _, _ in
            throw ConnectorError("transform.no_database", .stop, "\(Self.className) needs a database, and none can be asked here")
        }
    }
}

package struct TransformedBatch: Sendable {
    package var batch: RecordBatch
    /// The row of the batch read from the source or the log that each row came from, ascending; nil: row for row.
    package var origins: [Int]?
    /// Where the rows stand in the log, on the sink side.
    package var partition: TopicPartition?
    package var firstOffset: Int64?
    package init(_ batch: RecordBatch, origins: [Int]? = nil, partition: TopicPartition? = nil, firstOffset: Int64? = nil) {
        self.batch = batch
        self.origins = origins
        self.partition = partition
        self.firstOffset = firstOffset
    }
}
