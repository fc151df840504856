import ConnectAPI

/// The tags of stored objects: `s3.object.tagging`. Named as Confluent names them.
struct ObjectTags: Sendable {
    var more: [(name: String, value: String)] = []
    /// `s3.object.behavior.on.tagging.error=fail`.
    var isRequired = false

    func tags(_ facts: FileFacts) -> [(name: String, value: String)] {
        [("startOffset", String(facts.start)), ("endOffset", String(facts.end)), ("recordCount", String(facts.count))] + more
    }
}
