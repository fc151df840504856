import ConnectAPI
import Parquet

/// The bytes of one file while it takes rows of one shape.
///
///     COPY      Parquet: a column a table column, JSON texts as strings
///     Snowpipe  gzipped JSON lines, as Snowflake's connector stages them
enum RowFile {
    case parquet(ParquetWriter)
    case lines(RowLines)

    static func parquet(_ schema: Schema) throws -> RowFile {
        var options = ParquetOptions()
        options.codec = .snappy
        // Statistics and dictionaries pay where columns are read alone; here a whole file is read once.
        options.statistics = false
        options.timestampLocalAsUTC = false
        return .parquet(try ParquetWriter(schema: schema, options: options))
    }

    func append(_ rows: Column) throws {
        switch self {
        case .parquet(let writer): try writer.write(rows)
        case .lines(let lines): try lines.append(rows)
        }
    }

    var bufferedBytes: Int {
        switch self {
        case .parquet(let writer): writer.bufferedBytes
        case .lines(let lines): lines.bufferedBytes
        }
    }

    func finish() throws -> [UInt8] {
        switch self {
        case .parquet(let writer): try writer.finish()
        case .lines(let lines): lines.finish()
        }
    }
}
