import ConnectAPI

/// `TimestampRouter`: the topic named after the record's time.
struct TimestampRouter: Transform {
    static let className = "org.apache.kafka.connect.transforms.TimestampRouter"

    struct Configuration: ConnectConfiguration {
        @Field("topic.format", default: "${topic}-${timestamp}", importance: .high, doc: "The new name") var topicFormat: String
        @Field("timestamp.format", default: "yyyyMMdd", importance: .high, doc: "A pattern of java.text.SimpleDateFormat; UTC")
        var timestampFormat: String
        init() {}
    }

    private let topicFormat: String
    private let format: JavaDateFormat

    init(_ configuration: Configuration) throws {
        topicFormat = configuration.topicFormat
        format = try JavaDateFormat(configuration.timestampFormat)
    }

    func apply(_ batch: TransformedBatch) -> [TransformedBatch] {
        var names: [Int64: String] = [:]
        func name(_ millis: Int64) -> String {
            if let known = names[millis] { return known }
            var out = "", rest = topicFormat[...]
            while let dollar = rest.firstIndex(of: "$") {
                out += rest[..<dollar]
                rest = rest[dollar...]
                if rest.hasPrefix("${topic}") {
                    out += batch.batch.topic
                    rest = rest.dropFirst(8)
                } else if rest.hasPrefix("${timestamp}") {
                    out += format.string(millis)
                    rest = rest.dropFirst(12)
                } else {
                    out.append("$")
                    rest = rest.dropFirst()
                }
            }
            names[millis] = out + rest
            return out + rest
        }
        if case .constant(.integer(let millis)) = batch.batch.timestamps.storage {
            var out = batch
            out.batch.topic = name(millis)
            return [out]
        }
        return batch.routed((0..<batch.batch.count).map { batch.batch.timestamps[$0].integerValue.map(name) })
    }
}
