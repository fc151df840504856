import Avro
import ConnectAPI

/// `key.subject.name.strategy`, `value.subject.name.strategy`: under what name a registry keeps the schemas of records.
enum SubjectNaming: String, CaseIterable, Sendable {
    /// `TOPIC-key`, `TOPIC-value`.
    case topic = "io.confluent.kafka.serializers.subject.TopicNameStrategy"
    /// The full name of the record.
    case record = "io.confluent.kafka.serializers.subject.RecordNameStrategy"
    /// `TOPIC-RECORD`.
    case topicRecord = "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy"

    static let check = Check(recommended: allCases.map(\.rawValue)) { text in
        SubjectNaming(className: text) == nil ? "Class \(text) could not be found; available are \(allCases.map(\.rawValue).joined(separator: ", "))" : nil
    }

    init?(className: String) {
        let simple = className.split(separator: ".").last
        // Confluent's default since 8: by the topic, where nobody associated another subject with it.
        if simple == "AssociatedNameStrategy" {
            self = .topic
        } else if let known = Self.allCases.first(where: { $0.rawValue.split(separator: ".").last == simple }) {
            self = known
        } else {
            return nil
        }
    }

    func subject(topic: String, isKey: Bool, _ type: AvroType) throws(ConnectorError) -> String {
        let side = isKey ? "key" : "value"
        if self == .topic { return "\(topic)-\(side)" }
        guard case .record = type.kind, let name = type.fullName else {
            throw ConnectorError(
                "avro.no_record_name", .reject, "The \(side) of a record for topic \(topic) is no struct, so \(rawValue) has no name for its schema",
                hint: "Set \(side).converter.\(side).subject.name.strategy to \(SubjectNaming.topic.rawValue)")
        }
        return self == .record ? name : "\(topic)-\(name)"
    }
}
