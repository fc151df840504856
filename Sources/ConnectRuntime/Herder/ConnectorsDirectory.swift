import ConnectAPI
import Glibc

/// `connectors.d`: connectors as files, loaded at start and watched.
///
///     file appears or changes ─▶ parse, validate ─▶ put (restarts only on change)
///     file goes               ─▶ delete the connector it made
///     file is bad             ─▶ one error line with its place; the connector stays as it was
///
/// Watching is a look at names, times and sizes every half second, which sees what editors do (write beside, rename over) and works on every
/// file system. A file counts once it looked the same twice, so that one being written is not read in half. At start files win over what
/// REST changed since.
package actor ConnectorsDirectory {
    private struct Fingerprint: Hashable {
        let inode: UInt
        let size: Int
        let seconds: Int
        let nanoseconds: Int
    }

    private let path: String
    private let herder: any WorkerHerder
    private let log = Logger("sluice.connectors")
    private var seen: [String: Fingerprint] = [:]
    /// The last that was acted on.
    private var applied: [String: Fingerprint] = [:]
    /// The connector each file stands for, while it is good.
    private var names: [String: String] = [:]
    private var isMissing = false

    package init(path: String, herder: any WorkerHerder) {
        self.path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        self.herder = herder
    }

    /// Loads everything there is, and deletes the connectors of files that went while the worker was away.
    package func load() async {
        await scan(settled: false)
    }

    /// Watches until cancelled.
    package func watch() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(500))
            if Task.isCancelled { return }
            await scan(settled: true)
        }
    }

    private func scan(settled: Bool) async {
        let found: [String: Fingerprint]
        do {
            found = try list()
            isMissing = false
        } catch {
            // A directory that cannot be read says nothing about its files: nothing is deleted.
            if !isMissing { log.warn("\(Trace.message(of: error)); the connectors stay as they are") }
            isMissing = true
            return
        }
        for (file, fingerprint) in found.sorted(by: { $0.key < $1.key }) where applied[file] != fingerprint {
            if settled, seen[file] != fingerprint { continue }
            applied[file] = fingerprint
            await apply(file)
        }
        seen = found
        for file in applied.keys where found[file] == nil {
            applied[file] = nil
            names[file] = nil
        }
        await deleteOrphans(found)
    }

    private func apply(_ file: String) async {
        do {
            let parsed = try ConnectorFile(path: file)
            if let other = names.first(where: { $0.value == parsed.name && $0.key != file })?.key, applied[other] != nil {
                throw ConnectorError("config.duplicate", .stop, "\(file): connector \(parsed.name) is already configured by \(other)")
            }
            names[file] = parsed.name
            do {
                let (created, _) = try await herder.put(parsed.name, parsed.config, file: file, initialState: parsed.initialState)
                log.info("\(file): connector \(parsed.name) \(created ? "created" : "configured")")
            } catch let error as HerderError {
                await explain(parsed, error)
            }
        } catch {
            log.error("\(Trace.message(of: error)); what was configured before stays")
        }
    }

    /// One line for every finding, with the place of its key.
    private func explain(_ file: ConnectorFile, _ error: HerderError) async {
        let config = file.config.filter { $0.key != "name" } + [ConfigEntry("name", file.name)]
        let findings = ((try? await herder.findings(config))?.entries ?? []).flatMap { entry in
            entry.errors.map { "\(file.place(of: entry.name)): \(entry.name): \($0)" }
        }
        for finding in findings.isEmpty ? ["\(file.path): \(error.message)"] : findings { log.error("\(finding); what was configured before stays") }
    }

    private func deleteOrphans(_ found: [String: Fingerprint]) async {
        let claimed = Set(names.values)
        for (name, file) in await herder.connectorsOfFiles() where file.hasPrefix(path + "/") && !claimed.contains(name) {
            // A file that is still there and is bad, or names another connector, is told by `names`: only the latter gives its connector up.
            if found[file] != nil, names[file] == nil { continue }
            do {
                try await herder.delete(name)
                log.info("\(file) is gone: connector \(name) deleted")
            } catch let error as HerderError where error.status == 404 {
                continue
            } catch {
                log.error("\(file) is gone, but connector \(name) could not be deleted: \(Trace.message(of: error))")
            }
        }
    }

    /// The connector files of the directory: `.json` and `.properties`, no hidden ones.
    private func list() throws -> [String: Fingerprint] {
        var out: [String: Fingerprint] = [:]
        for name in try WorkerFile.names(in: path) where !name.hasPrefix(".") && (name.hasSuffix(".json") || name.hasSuffix(".properties")) {
            let file = path + "/" + name
            var status = stat()
            guard stat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
            out[file] = Fingerprint(
                inode: UInt(status.st_ino), size: Int(status.st_size), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
        }
        return out
    }
}
