import ConnectAPI
import Glibc
import Synchronization

/// Files whose end and whose appearance are two steps (`exactly.once.mode=ledger`): they lie where no start of a task clears them, and are durable.
///
///     .sluice/sealed/<connector>/<log partition>/<topic>/<upload>   ─ link(2) ─▶ the object
extension LocalStore {
    static let sealed = ".sluice/sealed"

    func seal(_ upload: Upload, _ parts: [UploadedPart], _ attributes: ObjectAttributes) async throws -> SealedFile {
        let directory = "\(Self.sealed)/\(SealedPlace(attributes.metadata).path)"
        // Of this upload alone, also when it is asked again: a process that has the same number later draws another token.
        let id = "\(directory)/\(token)x\(upload.id.split(separator: ".").last ?? "")"
        return try await pool.run { [self] _ in
            let sealed = SealedFile(upload: Upload(key: upload.key, id: id, attributes: attributes), parts: parts, attributes: attributes)
            if uploads.withLock({ $0[upload.id] }) == nil, access("\(root)/\(id)", F_OK) == 0 { return sealed }
            let temporary = try file(of: upload)
            try temporary.sync()
            try ensureDirectory("\(root)/\(directory)")
            guard rename(upload.id, "\(root)/\(id)") == 0 else { throw LocalError(errno, "create", "\(root)/\(id)") }
            try DirectoryListing.sync("\(root)/\(directory)")
            uploads.withLock { _ = $0.removeValue(forKey: upload.id) }
            close(temporary.fd)
            return sealed
        }
    }

    func dropSealed(of ledger: SealedPlace, before milliseconds: Int64) async -> Int {
        let directory = "\(root)/\(Self.sealed)/\(ledger.path)"
        let dropped = try? await pool.run { _ in
            try DirectoryListing.names(directory).count { name in
                var status = stat(), path = "\(directory)/\(name)"
                // Written last before it was sealed.
                return stat(path, &status) == 0 && Int64(status.st_mtim.tv_sec) * 1000 < milliseconds && unlink(path) == 0
            }
        }
        return dropped ?? 0
    }

    /// A sealed file, whichever process sealed it; nil when it is visible already, or gone.
    func sealedFile(_ upload: Upload) throws -> TemporaryFile? {
        let name = upload.id.dropFirst(Self.sealed.count + 1)
        // An entry is read from outside: it names nothing but sealed files. Without a dot, no part of a path leads elsewhere.
        guard upload.id.hasPrefix(Self.sealed + "/"), !name.isEmpty, name.utf8.allSatisfy({ $0 != UInt8(ascii: ".") && $0 != 0 }) else { return nil }
        let path = "\(root)/\(upload.id)", fd = Glibc.open(path, O_RDWR | O_CLOEXEC)
        if fd < 0 {
            if errno == ENOENT { return nil }
            throw LocalError(errno, "read", path)
        }
        return TemporaryFile(path, open: fd)
    }
}
