import ConnectAPI
import JavaRegex

/// `org.apache.kafka.connect.transforms.RegexRouter`: renames topics. One decision a batch, since a batch has one topic.
struct RegexRouter: Transform {
    struct Configuration: ConnectConfiguration {
        @Field("regex", importance: .high, doc: "A Java regular expression the whole topic name must match", check: JavaPattern.check)
        var regex: String
        @Field("replacement", importance: .high, doc: "The new name; $1 stands for a group") var replacement: String
        init() {}
    }
    static let className = "org.apache.kafka.connect.transforms.RegexRouter"

    private let pattern: JavaPattern
    private let replacement: JavaReplacement

    init(_ configuration: Configuration) throws {
        pattern = try JavaPattern(configuration.regex)
        replacement = try JavaReplacement(configuration.replacement, for: pattern)
    }

    func apply(_ batch: TransformedBatch) throws -> [TransformedBatch] {
        guard try pattern.matches(batch.batch.topic) else { return [batch] }
        var routed = batch
        routed.batch.topic = try pattern.replace(batch.batch.topic, with: replacement, all: false)
        return [routed]
    }
}
