import ConnectAPI
import Glibc
import Synchronization

/// Objects as files below a directory.
///
///     .sluice/tmp/<owner>.<n>   written, given its metadata, fsynced
///        └─ link(2) ─▶ topics/…/name.parquet     fails when the name exists: the conditional create
///        └─ rename(2) ─▶ …                        replaces it
///     then the directory is fsynced, and only then the object counts as stored (Invariant 4)
///
/// A reader sees a whole file or none. Metadata is the extended attribute `user.sluice` of the file; where the file system has none, it is a
/// file `.sluice/<name>.<inode>` beside the object, whose name ties it to exactly this file. What a crash leaves in `.sluice/tmp` is removed at
/// the next start of the same owner.
final class LocalStore: ObjectStore {
    let root: String
    /// Begins the names of this task's temporary files.
    private let owner: String
    let pool: BlockingPool
    private let usesAttributes: Atomic<Bool>
    private let counter = Atomic<UInt64>(0)
    let token = String(UInt64.random(in: 0...UInt64.max), radix: 16)
    /// Open uploads by id.
    let uploads = Mutex<[String: Int32]>([:])
    private let directories = Mutex<Set<String>>([])

    init(root: String, owner: String, pool: BlockingPool, usesAttributes: Bool = true) {
        self.root = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
        self.owner = PercentCoding.encode(owner)
        self.pool = pool
        self.usesAttributes = Atomic(usesAttributes)
    }

    var place: String { "the directory \(root)" }
    var completesMetadata: Bool { true }
    private var scratch: String { root + "/.sluice/tmp" }

    func prepare() async throws {
        try await pool.run { [self] _ in
            try makeDirectories(scratch)
            guard access(scratch, W_OK | X_OK) == 0 else { throw LocalError(errno, "write to", root) }
            for name in try DirectoryListing.names(scratch) where name.hasPrefix(owner + ".") { unlink("\(scratch)/\(name)") }
        }
    }

    // MARK: Objects

    func put(_ key: String, _ body: [UInt8], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        let path = try LocalPath.file(key, root: root)
        return try await pool.run { [self] _ in
            let temporary = try TemporaryFile(nextTemporary())
            defer { temporary.close() }
            try temporary.write(body, at: 0)
            return try publish(temporary, as: path, attributes.metadata, ifAbsent: ifAbsent)
        }
    }

    func head(_ key: String) async throws -> ObjectInfo? {
        let path = try LocalPath.file(key, root: root)
        return try await pool.run { _ in
            let fd = open(path, O_RDONLY | O_CLOEXEC)
            if fd < 0 {
                if errno == ENOENT || errno == ENOTDIR { return nil }
                throw LocalError(errno, "read", path)
            }
            defer { close(fd) }
            var status = stat()
            guard fstat(fd, &status) == 0 else { throw LocalError(errno, "read", path) }
            guard status.st_mode & S_IFMT == S_IFREG else { return nil }
            let text = ExtendedAttribute.get(fd) ?? SmallFile.read(LocalPath.sidecar(path, inode: status.st_ino), limit: 1 << 20) ?? []
            return ObjectInfo(size: Int64(status.st_size), metadata: MetadataText.parse(text))
        }
    }

    func read(_ key: String, _ range: Range<Int64>) async throws -> [UInt8]? {
        let path = try LocalPath.file(key, root: root)
        return try await pool.run { _ in
            let fd = open(path, O_RDONLY | O_CLOEXEC)
            if fd < 0 {
                if errno == ENOENT || errno == ENOTDIR { return nil }
                throw LocalError(errno, "read", path)
            }
            defer { close(fd) }
            var status = stat()
            guard fstat(fd, &status) == 0 else { throw LocalError(errno, "read", path) }
            let wanted = Int(max(0, min(range.upperBound, Int64(status.st_size)) - range.lowerBound))
            var failure: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
                while count < wanted {
                    let n = pread(fd, buffer.baseAddress! + count, wanted - count, off_t(range.lowerBound) + count)
                    if n > 0 { count += n } else if n == 0 || errno != EINTR { failure = n == 0 ? 0 : errno; return }
                }
            }
            if failure != 0 { throw LocalError(failure, "read", path) }
            return bytes
        }
    }

    /// A directory is walked as a whole for every page: ask for one of all objects where there may be many.
    func page(_ prefix: String, after next: String?, limit: Int) async throws -> ObjectPage {
        let directory = prefix.lastIndex(of: "/").map { String(prefix[..<$0]) } ?? ""
        let start = directory.isEmpty ? root : try LocalPath.file(directory, root: root)
        return try await pool.run { _ in
            var found: [(key: String, path: String)] = [], pending = [(start, directory)]
            while let (path, key) = pending.popLast() {
                for entry in try DirectoryListing.entries(path) where !entry.name.hasPrefix(".sluice") {
                    let child = key.isEmpty ? LocalPath.component(entry.name) : "\(key)/\(LocalPath.component(entry.name))"
                    if entry.isDirectory {
                        if child.hasPrefix(prefix) || prefix.hasPrefix(child + "/") { pending.append(("\(path)/\(entry.name)", child)) }
                    } else if child.hasPrefix(prefix), next.map({ $0.utf8.lexicographicallyPrecedes(child.utf8) }) ?? true {
                        found.append((child, "\(path)/\(entry.name)"))
                    }
                }
            }
            found.sort { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            let isLast = found.count <= limit
            let entries = found.prefix(limit).compactMap { key, path -> ObjectEntry? in
                var status = stat()
                // Gone meanwhile.
                guard stat(path, &status) == 0 else { return nil }
                return ObjectEntry(
                    key: key, size: Int64(status.st_size), modified: Int64(status.st_mtim.tv_sec) * 1000 + Int64(status.st_mtim.tv_nsec) / 1_000_000)
            }
            return ObjectPage(entries: entries, next: isLast ? nil : found[limit - 1].key)
        }
    }

    func delete(_ key: String) async throws {
        let path = try LocalPath.file(key, root: root)
        try await pool.run { _ in
            var status = stat()
            if lstat(path, &status) == 0 { unlink(LocalPath.sidecar(path, inode: status.st_ino)) }
            if unlink(path) != 0 {
                if errno == ENOENT { return }
                throw LocalError(errno, "delete", path)
            }
            // What was deleted is not to come back after a power cut.
            try DirectoryListing.sync(LocalPath.directory(path))
        }
    }

    // MARK: Uploads

    func beginUpload(_ key: String, _ attributes: ObjectAttributes) async throws -> Upload {
        _ = try LocalPath.file(key, root: root)
        return try await pool.run { [self] _ in
            let path = nextTemporary()
            let fd = try TemporaryFile(path).keepOpen()
            uploads.withLock { $0[path] = fd }
            return Upload(key: key, id: path, attributes: attributes)
        }
    }

    func uploadPart(_ upload: Upload, number: Int, offset: Int64, _ bytes: [UInt8]) async throws -> UploadedPart {
        try await pool.run { [self] _ in
            try file(of: upload).write(bytes, at: offset)
            return UploadedPart(number: number, tag: "", checksum: "", size: bytes.count)
        }
    }

    func complete(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes, ifAbsent: Bool) async throws -> PutOutcome {
        let path = try LocalPath.file(upload.key, root: root)
        return try await pool.run { [self] _ in
            if let sealed = try sealedFile(upload) {
                let outcome = try publish(sealed, as: path, attributes.metadata, ifAbsent: ifAbsent)
                sealed.close()
                return outcome
            }
            // Completed before: the caller looks at what is there.
            if uploads.withLock({ $0[upload.id] }) == nil, access(path, F_OK) == 0 { return .exists }
            let temporary = try file(of: upload)
            let outcome = try publish(temporary, as: path, attributes.metadata, ifAbsent: ifAbsent)
            uploads.withLock { _ = $0.removeValue(forKey: upload.id) }
            temporary.close()
            return outcome
        }
    }

    func abort(_ upload: Upload) async {
        if upload.id.hasPrefix(Self.sealed) { return (try? sealedFile(upload))??.close() ?? () }
        guard let fd = uploads.withLock({ $0.removeValue(forKey: upload.id) }) else { return }
        unlink(upload.id)
        close(fd)
    }

    func file(of upload: Upload) throws -> TemporaryFile {
        guard let fd = uploads.withLock({ $0[upload.id] }) else {
            throw ConnectorError(
                "local.upload_gone", .stop, "The unfinished file for '\(upload.key)' is gone", hint: "Restart the task: the records are read again")
        }
        return TemporaryFile(upload.id, open: fd)
    }

    // MARK: Publishing

    private func nextTemporary() -> String {
        "\(scratch)/\(owner).\(getpid()).\(counter.add(1, ordering: .relaxed).newValue)"
    }

    private func publish(_ file: TemporaryFile, as path: String, _ metadata: [String: String], ifAbsent: Bool) throws -> PutOutcome {
        let directory = LocalPath.directory(path)
        try ensureDirectory(directory)
        if ifAbsent, access(path, F_OK) == 0 {
            unlink(file.path)
            return .exists
        }
        var sidecar: String?
        if !metadata.isEmpty {
            let text = MetadataText.render(metadata)
            if !usesAttributes.load(ordering: .relaxed) || !ExtendedAttribute.set(file.fd, text) {
                usesAttributes.store(false, ordering: .relaxed)
                sidecar = LocalPath.sidecar(path, inode: try file.inode())
                try ensureDirectory(LocalPath.directory(sidecar!))
                let written = try TemporaryFile(nextTemporary())
                defer { written.close() }
                try written.write(text, at: 0)
                try written.sync()
                guard rename(written.path, sidecar!) == 0 else { throw LocalError(errno, "write", sidecar!) }
                try DirectoryListing.sync(LocalPath.directory(sidecar!))
            }
        }
        try file.sync()
        if ifAbsent {
            if link(file.path, path) != 0 {
                let reason = errno
                if let sidecar { unlink(sidecar) }
                unlink(file.path)
                if reason == EEXIST { return .exists }
                directories.withLock { _ = $0.remove(directory) }
                throw LocalError(reason, "create", path)
            }
            unlink(file.path)
        } else {
            guard rename(file.path, path) == 0 else {
                directories.withLock { _ = $0.remove(directory) }
                throw LocalError(errno, "create", path)
            }
        }
        try DirectoryListing.sync(directory)
        return .stored
    }

    func ensureDirectory(_ path: String) throws {
        if directories.withLock({ $0.contains(path) }), access(path, F_OK) == 0 { return }
        try makeDirectories(path)
        directories.withLock { known in
            if known.count > 4096 { known.removeAll() }
            known.insert(path)
        }
    }

    /// Creates what is missing of a path and makes each new name durable.
    private func makeDirectories(_ path: String) throws {
        var status = stat()
        if stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR else { throw LocalError(ENOTDIR, "use", path) }
            return
        }
        let parent = LocalPath.directory(path)
        if parent != path, !parent.isEmpty { try makeDirectories(parent) }
        if mkdir(path, 0o777) != 0, errno != EEXIST { throw LocalError(errno, "create", path) }
        try DirectoryListing.sync(parent.isEmpty ? "/" : parent)
    }
}
