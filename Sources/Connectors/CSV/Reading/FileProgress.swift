import ConnectAPI

/// How far a file was read: what its source offset says.
struct FileProgress: Sendable, Hashable {
    /// Bytes of the decompressed file up to the next row; rows and lines before it.
    var position: Int64 = 0
    var row: Int64 = 0
    var line: Int64 = 0
    /// How often all files have been read before; counts with `at.end=loop`.
    var pass: Int64 = 0
    var isFinished = false
    var size: Int64 = 0
    var inode: Int64 = 0
    var identity: FileIdentity?
    /// Names and types as they were found, so that a restart reads on with the same.
    var columns: String?

    static let fileKey = "file"

    init() {}

    init(_ offset: OffsetMap) throws {
        func number(_ key: String) throws -> Int64 {
            guard let value = offset[key] else { return 0 }
            guard let number = value.integerValue, number >= 0 else {
                throw ConnectorError("csv.bad_offset", .stop, "The offset's \(key) must be a whole number that is not negative")
            }
            return number
        }
        position = try number("position")
        row = try number("row")
        line = try number("line")
        pass = try number("pass")
        size = try number("size")
        inode = try number("inode")
        isFinished = offset["finished"]?.booleanValue ?? false
        identity = offset["identity"]?.stringValue.flatMap { FileIdentity($0) }
        columns = offset["columns"]?.stringValue
    }

    func sourcePosition(_ path: String) -> SourcePosition {
        var offset: OffsetMap = [
            "position": .integer(position), "row": .integer(row), "line": .integer(line), "size": .integer(size), "inode": .integer(inode),
        ]
        if let identity { offset["identity"] = .string(identity.description) }
        if let columns { offset["columns"] = .string(columns) }
        if pass > 0 { offset["pass"] = .integer(pass) }
        if isFinished { offset["finished"] = true }
        return SourcePosition(partition: [Self.fileKey: .string(path)], offset: offset)
    }
}
