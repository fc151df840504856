import ConnectAPI
import Glibc
import JavaRegex

/// The files to read: one, those of a pattern, or those of a directory whose names match.
struct FileSet: Sendable {
    private enum Place: Sendable {
        case pattern(String)
        case directory(String, JavaPattern)
    }
    private let place: Place
    private let minimumAge: Int64
    private let ignoredExtension: String
    /// This task's share.
    private let task: Int
    private let tasks: Int

    init(_ configuration: CSVSourceConfiguration, task: Int, of tasks: Int) throws {
        if let file = configuration.file, !file.isEmpty {
            place = .pattern(file)
        } else {
            place = .directory(configuration.inputPath ?? "", try JavaPattern(configuration.inputFilePattern ?? ".*"))
        }
        minimumAge = configuration.minimumAge
        ignoredExtension = configuration.processingExtension
        self.task = task
        self.tasks = tasks
    }

    struct Entry: Sendable {
        let path: String
        let size: Int64
        let inode: Int64
    }

    /// What is there now, by name.
    func list() throws -> [Entry] {
        let paths =
            switch place {
            case .pattern(let pattern): Self.glob(pattern)
            case .directory(let directory, let names): try Self.names(in: directory).filter { try names.matches($0) }.map { "\(directory)/\($0)" }
            }
        let now = WallClock.milliseconds
        return paths.filter(isOurs).sorted().compactMap { path in
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
            let modified = Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
            guard minimumAge == 0 || now - modified >= minimumAge, ignoredExtension.isEmpty || !path.hasSuffix(ignoredExtension) else { return nil }
            return Entry(path: path, size: Int64(status.st_size), inode: Int64(bitPattern: UInt64(status.st_ino)))
        }
    }

    private func isOurs(_ path: String) -> Bool {
        // FNV-1a, as the same file must always be the same task's.
        let hash = path.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return tasks <= 1 || hash % UInt64(tasks) == UInt64(task)
    }

    private static func glob(_ pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        // A file whose name has a bracket or a star is meant by its name.
        if access(pattern, F_OK) == 0 { return [pattern] }
        guard Glibc.glob(pattern, GLOB_BRACE, nil, &found) == 0 else { return [] }
        return (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
    }

    private static func names(in directory: String) throws -> [String] {
        guard let handle = opendir(directory) else { throw FileBytes.unreadable(directory, "listed") }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
