import ConnectAPI
import Glibc

/// What happens to a file once all of its rows are in the log.
struct FileCleanup: Sendable {
    let policy: CSVSourceConfiguration.Cleanup
    let finishedPath: String
    let errorPath: String?

    func finish(_ path: String) throws {
        switch policy {
        case .none: break
        case .delete: if unlink(path) != 0 { throw FileBytes.unreadable(path, "deleted") }
        case .move: try Self.move(path, to: finishedPath)
        case .moveByDate:
            var day: [UInt8] = []
            ISO8601.appendDate(day: WallClock.milliseconds.flooredDivision(by: 86_400_000).quotient, to: &day)
            let directory = "\(finishedPath)/\(String(decoding: day, as: UTF8.self))"
            mkdir(directory, 0o755)
            try Self.move(path, to: directory)
        }
    }

    func fail(_ path: String) throws {
        if let errorPath { try Self.move(path, to: errorPath) }
    }

    private static func move(_ path: String, to directory: String) throws {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        guard rename(path, "\(directory)/\(name)") == 0 else {
            throw FileBytes.unreadable(path, "moved to \(directory)")
        }
    }
}
