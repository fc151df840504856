/// Has Snowflake load staged files into a table. Loading the same files again is harmless: they are loaded once.
protocol FileLoader: Sendable {
    /// Milliseconds for which Snowflake remembers which files it loaded.
    var loadHistory: Int64 { get }
    /// Returns when every file is in the table. A `.retry` error may be tried again as it is.
    func load(_ files: [StagedFile], into table: ObjectName) async throws
    /// The files of a directory of the stage.
    func list(_ directory: String, of table: ObjectName) async throws -> [ListedFile]
    /// Takes files off the stage.
    func remove(_ files: [StagedFile], of table: ObjectName) async throws
}

struct ListedFile: Sendable {
    let name: String
    let size: Int
    /// Milliseconds since 1970; nil: not told.
    let modified: Int64?
}
