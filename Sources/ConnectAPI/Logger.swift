#if canImport(Glibc)
    import Glibc
#else
    import Musl
#endif
import Synchronization

/// Writes lines such as `[2026-11-21 07:58:55,123] WARN [lake|task-0] … (sluice.sink)` to standard error.
///
/// Normal operation logs nothing, a state change one line, the unexpected a warning with its hint. Never a secret or row data
/// (Invariant 10). Levels are set per dotted name, as `/admin/loggers` does.
public struct Logger: Sendable {
    public enum Level: Int, Sendable, Comparable, CaseIterable {
        case trace, debug, info, warn, error, fatal, off
        public var name: String {
            switch self {
            case .trace: "TRACE"
            case .debug: "DEBUG"
            case .info: "INFO"
            case .warn: "WARN"
            case .error: "ERROR"
            case .fatal: "FATAL"
            case .off: "OFF"
            }
        }
        public init?(name: String) {
            guard let level = Level.allCases.first(where: { $0.name == name.uppercased() }) else { return nil }
            self = level
        }
        public static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
    }

    public struct Setting: Sendable, Hashable {
        public let level: Level
        /// Milliseconds since 1970; nil when it was never set by a request.
        public let lastModified: Int64?
    }

    private static let settings = Mutex<[String: Setting]>(["root": Setting(level: .info, lastModified: nil)])

    /// Every logger with a level of its own.
    public static var levels: [String: Setting] { settings.withLock { $0 } }

    public static func setLevel(_ level: Level, of name: String, at milliseconds: Int64?) {
        settings.withLock { $0[name] = Setting(level: level, lastModified: milliseconds) }
    }

    /// The level in force for a name: its own, that of the nearest dotted parent, or the root's.
    public static func effectiveLevel(of name: String) -> Level {
        settings.withLock { settings in
            var scope = Substring(name)
            while true {
                if let setting = settings[String(scope)] { return setting.level }
                guard let dot = scope.lastIndex(of: ".") else { return settings["root"]!.level }
                scope = scope[..<dot]
            }
        }
    }

    public let name: String
    /// `connector|task-0`, or empty.
    public let context: String

    public init(_ name: String, context: String = "") {
        self.name = name
        self.context = context
    }

    public func with(context: String) -> Logger { Logger(name, context: context) }

    public func debug(_ message: @autoclosure () -> String) { write(.debug, message) }
    public func info(_ message: @autoclosure () -> String) { write(.info, message) }
    public func warn(_ message: @autoclosure () -> String) { write(.warn, message) }
    public func error(_ message: @autoclosure () -> String) { write(.error, message) }

    private func write(_ level: Level, _ message: () -> String) {
        guard level >= Self.effectiveLevel(of: name) else { return }
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var line: [UInt8] = [UInt8(ascii: "[")]
        let day = Int64(now.tv_sec).flooredDivision(by: 86_400)
        ISO8601.appendDate(day: day.quotient, to: &line)
        line.append(UInt8(ascii: " "))
        ISO8601.appendTime(micros: day.remainder * 1_000_000, fractionDigits: 0, to: &line)
        line.append(UInt8(ascii: ","))
        ISO8601.appendDigits(UInt64(now.tv_nsec / 1_000_000), width: 3, to: &line)
        line.append(contentsOf: "] \(level.name) \(context.isEmpty ? "" : "[\(context)] ")\(message()) (\(name))\n".utf8)
        // One write a line keeps lines of several threads apart.
        line.withUnsafeBytes { bytes in _ = unsafe Glibc.write(2, bytes.baseAddress, bytes.count) }
    }
}
