import ConnectAPI

/// Names of merged files, and what the names of a listing tell.
///
///     <topic>+<partition>+<start offset>-<end offset>-<plan><extension>
///
/// A template's names get `-<end offset>-<plan>` before their extension.
extension FileNaming {
    /// What a name tells without a look at the object.
    struct Place: Equatable {
        /// Everything before the name itself: files of one directory and partition may become one.
        var directory: String
        /// nil: names of a template do not tell.
        var partition: Int32?
        var start: Int64?
        var isMerged = false
    }

    /// What all files of a topic begin with, as far as it is known.
    func listingPrefix(_ topic: String) -> String { template.map { prefix + $0.prefix(topic: topic) } ?? topicPrefix(topic) }

    /// Objects that are none of the topics' files.
    func isInternal(_ key: String) -> Bool {
        let names = ["_sluice", "_watermark", "_manifest", Chain.ledger.rawValue, Chain.compaction.rawValue]
        return key.hasPrefix(hiddenDirectory) || names.contains { key.hasPrefix(prefix + $0 + directoryDelimiter) }
    }

    /// An object that is written to be deleted.
    var probeName: String { "\(prefix)_sluice\(directoryDelimiter)compaction" }

    /// nil: not the name of a file of this topic.
    func place(_ key: String, topic: String) -> Place? {
        guard template == nil else {
            guard !isInternal(key) else { return nil }
            return Place(directory: key.lastIndex(of: "/").map { String(key[...$0]) } ?? "")
        }
        let f = fileDelimiter, opening = "\(directoryDelimiter)\(topic)\(f)"
        guard key.hasSuffix(fileExtension), let at = key.lastRange(of: opening) else { return nil }
        let name = key[at.upperBound...].dropLast(fileExtension.count)
        guard let end = name.firstRange(of: f), let partition = Int32(name[..<end.lowerBound]) else { return nil }
        let numbers = name[end.upperBound...].split(separator: "-", omittingEmptySubsequences: false)
        guard numbers.count == 1 || numbers.count == 3, let start = Int64(numbers[0]) else { return nil }
        return Place(directory: String(key[..<at.lowerBound]), partition: partition, start: start, isMerged: numbers.count == 3)
    }

    /// The name of the file that files of which this is the first become.
    func mergedName(_ first: String, end: Int64, id: String) -> String {
        let suffix = template?.suffix ?? fileExtension
        let stem = first.hasSuffix(suffix) ? first.dropLast(suffix.count) : first[...]
        return "\(stem)-\(template == nil ? padded(end) : String(end))-\(id)\(first.hasSuffix(suffix) ? suffix : "")"
    }
}
