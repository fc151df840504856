import Glibc

/// What the system says of this process.
package enum ProcessFigures {
    /// Resident memory; 0 where `/proc` cannot be read.
    package static var residentBytes: Int {
        guard let text = try? WorkerFile.read("/proc/self/statm") else { return 0 }
        let fields = String(decoding: text, as: UTF8.self).split(separator: " ")
        return fields.count > 1 ? (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE)) : 0
    }
}
