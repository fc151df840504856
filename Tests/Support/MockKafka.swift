internal import CRdKafka
import Foundation

/// librdkafka's mock cluster in this process: real sockets and protocol for producing, consuming, groups and injected errors.
///
/// What it does not do: CreateTopics (a topic appears, with 4 partitions, when it is first asked for; `createTopic` makes one as wanted), other admin
/// requests, hiding aborted records, fencing. It keeps about 5 MB a partition.
// @unchecked: librdkafka's mock is called with a lock of its own.
public final class MockKafka: @unchecked Sendable {
    private let handle: OpaquePointer
    private let cluster: OpaquePointer
    public let bootstrapServers: String

    public init(brokers: Int = 1) {
        var text = [CChar](repeating: 0, count: 256)
        let conf = rd_kafka_conf_new()
        rd_kafka_conf_set_log_cb(conf) { _, _, _, _ in }
        handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, &text, text.count)!
        cluster = rd_kafka_mock_cluster_new(handle, Int32(brokers))!
        bootstrapServers = String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
    }

    deinit {
        rd_kafka_mock_cluster_destroy(cluster)
        rd_kafka_destroy(handle)
    }

    public func createTopic(_ name: String, partitions: Int = 1) { rd_kafka_mock_topic_create(cluster, name, Int32(partitions), 1) }

    /// The next `count` produce requests are answered with an error of Kafka's protocol.
    public func failProduce(_ code: Int16, times count: Int) { push(0, code, count) }
    public func push(_ apiKey: Int16, _ code: Int16, _ count: Int) {
        let errors = [rd_kafka_resp_err_t](repeating: rd_kafka_resp_err_t(rawValue: Int32(code)), count: count)
        rd_kafka_mock_push_request_errors_array(cluster, apiKey, errors.count, errors)
    }

    /// Takes a broker away and back: connections end, new ones are refused.
    public func setBroker(_ id: Int = 1, up: Bool) {
        _ = up ? rd_kafka_mock_broker_set_up(cluster, Int32(id)) : rd_kafka_mock_broker_set_down(cluster, Int32(id))
    }
}
