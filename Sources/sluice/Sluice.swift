import ConnectAPI
import Glibc

/// `sluice`: parse arguments, call, print. What a command does is in `…Command.swift`; what it calls is in the libraries.
@main
struct Sluice {
    /// Of the product; `GET /` answers the level of Kafka Connect it imitates instead.
    static let version = "0.1.0"

    static func main() async {
        // A reader that leaves (a closed pipe, a dropped connection) is an error of that write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        // So is a file that may not grow: a limit says no as a full disk does.
        signal(SIGXFSZ, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            switch arguments.first {
            case "run": try await RunCommand(arguments.dropFirst()).run()
            case "tap": try await TapCommand(arguments.dropFirst()).run()
            case "validate": try await ValidateCommand(arguments.dropFirst()).run()
            case "doctor": try await DoctorCommand(arguments.dropFirst()).run()
            case "migrate": try await MigrateCommand(arguments.dropFirst()).run()
            case "version", "--version", "-v": Output.line("sluice \(version)")
            case "help", "--help", "-h": Output.line(Usage.text)
            case nil:
                Output.error(Usage.text)
                exit(64)
            case let other?:
                throw UsageError("'\(other)' is no command", meant: other, among: ["run", "tap", "validate", "version", "help"])
            }
        } catch let error as UsageError {
            Output.error("sluice: \(error.message)\n\(Usage.hint)")
            exit(64)
        } catch let failure as ExitStatus {
            exit(failure.code)
        } catch let error as ConnectorError {
            Output.error("sluice: \(error.hint.map { "\(error.message)\n        \($0)" } ?? error.message)")
            exit(1)
        } catch {
            Output.error("sluice: \(error)")
            exit(1)
        }
        exit(0)
    }
}

/// Ends the process with a status; everything worth saying was said.
struct ExitStatus: Error {
    let code: Int32
}

enum Output {
    static func line(_ text: String) { bytes(Array((text + "\n").utf8), to: 1) }
    static func error(_ text: String) { bytes(Array((text + "\n").utf8), to: 2) }

    /// False when the reader has left.
    @discardableResult
    static func bytes(_ bytes: some Collection<UInt8>, to descriptor: Int32 = 1) -> Bool {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let n = unsafe rest.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
            if n < 0 {
                if errno == EINTR { continue }
                return false
            }
            rest = rest.dropFirst(n)
        }
        return true
    }
}
