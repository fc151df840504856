internal import CRdKafka
import ConnectAPI

/// What a worker asks of the cluster itself, on a thread of its own.
package actor KafkaAdmin {
    package struct NewTopic: Sendable, Hashable {
        package let name: String
        /// -1: the broker's default.
        package let partitions: Int32
        /// -1: the broker's default.
        package let replicationFactor: Int32
        package let config: [String: String]
        package init(_ name: String, partitions: Int32, replicationFactor: Int32, config: [String: String] = [:]) {
            self.name = name
            self.partitions = partitions
            self.replicationFactor = replicationFactor
            self.config = config
        }
    }

    private let thread: ThreadExecutor
    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
    let handle: KafkaHandle
    nonisolated let timeout: Duration

    package init(_ settings: KafkaSettings, timeout: Duration = .seconds(30)) throws {
        handle = try KafkaHandle(.admin, settings)
        thread = ThreadExecutor("kafka-admin")
        self.timeout = timeout
    }

    deinit { thread.stop() }

    // MARK: Topics

    /// The number of partitions of every topic, or of one; a topic that is not there is left out.
    package func partitionCounts(topic: String? = nil) throws -> [String: Int32] { try handle.partitionCounts(topic, timeout) }

    /// The cluster's id; nil when it has none.
    package func clusterID() -> String? {
        guard let id = rd_kafka_clusterid(handle.rk, timeout.wholeMilliseconds) else { return nil }
        defer { rd_kafka_mem_free(handle.rk, id) }
        return String(cString: id)
    }

    /// Makes topics; one that is there already is no error. Returns those that were made.
    @discardableResult
    package func createTopics(_ topics: [NewTopic]) throws -> [String] {
        guard !topics.isEmpty else { return [] }
        var text = [CChar](repeating: 0, count: 512), requests: [OpaquePointer?] = []
        defer { for request in requests { rd_kafka_NewTopic_destroy(request) } }
        for topic in topics {
            guard let request = rd_kafka_NewTopic_new(topic.name, topic.partitions, topic.replicationFactor, &text, text.count) else {
                throw ConnectorError("kafka.refused", .stop, "Could not create topic \(topic.name): \(KafkaHandle.string(text))")
            }
            requests.append(request)
            for (key, value) in topic.config.sorted(by: { $0.key < $1.key }) {
                try KafkaError.check(rd_kafka_NewTopic_set_config(request, key, value), "create topic \(topic.name) with \(key)")
            }
        }
        return try call("create topics \(topics.map(\.name).joined(separator: ", "))", RD_KAFKA_ADMIN_OP_CREATETOPICS, requests) {
            pointers, count, options, queue in
            rd_kafka_CreateTopics(handle.rk, pointers, count, options, queue)
        } result: { event in
            var count = 0
            let results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count)
            return try Self.topicNames(results, count, but: RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) { "create topic \($0)" }
        }
    }

    /// Raises the number of partitions to `total`; a topic that has as many is no error.
    package func createPartitions(_ topic: String, total: Int) throws {
        var text = [CChar](repeating: 0, count: 512)
        let request = rd_kafka_NewPartitions_new(topic, total, &text, text.count)
        guard request != nil else { throw ConnectorError("kafka.refused", .stop, "Could not add partitions to \(topic): \(KafkaHandle.string(text))") }
        defer { rd_kafka_NewPartitions_destroy(request) }
        _ = try call("add partitions to \(topic)", RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, [request]) { pointers, count, options, queue in
            rd_kafka_CreatePartitions(handle.rk, pointers, count, options, queue)
        } result: { event in
            var count = 0
            let results = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &count)
            return try Self.topicNames(results, count, but: RD_KAFKA_RESP_ERR_INVALID_PARTITIONS) { "add partitions to \($0)" }
        }
    }

    package func deleteTopics(_ topics: [String]) throws {
        guard !topics.isEmpty else { return }
        let requests: [OpaquePointer?] = topics.map { rd_kafka_DeleteTopic_new($0) }
        defer { for request in requests { rd_kafka_DeleteTopic_destroy(request) } }
        _ = try call("delete topics \(topics.joined(separator: ", "))", RD_KAFKA_ADMIN_OP_DELETETOPICS, requests) { pointers, count, options, queue in
            rd_kafka_DeleteTopics(handle.rk, pointers, count, options, queue)
        } result: { event in
            var count = 0
            let results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count)
            return try Self.topicNames(results, count, but: RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) { "delete topic \($0)" }
        }
    }

    /// A topic's settings in force, such as `cleanup.policy`.
    package func describeConfig(topic: String) throws -> [String: String] {
        let resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic)
        defer { rd_kafka_ConfigResource_destroy(resource) }
        return try call("describe the settings of topic \(topic)", RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, [resource]) { pointers, count, options, queue in
            rd_kafka_DescribeConfigs(handle.rk, pointers, count, options, queue)
        } result: { event in
            var count = 0, out: [String: String] = [:]
            guard let resources = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count) else { return [:] }
            for i in 0..<count {
                try KafkaError.check(rd_kafka_ConfigResource_error(resources[i]), "describe the settings of topic \(topic)")
                var entries = 0
                guard let list = rd_kafka_ConfigResource_configs(resources[i], &entries) else { continue }
                for entry in 0..<entries {
                    guard let name = rd_kafka_ConfigEntry_name(list[entry]), let value = rd_kafka_ConfigEntry_value(list[entry]) else { continue }
                    out[String(cString: name)] = String(cString: value)
                }
            }
            return out
        }
    }

    private static func topicNames(
        _ results: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int, but ignored: rd_kafka_resp_err_t, _ what: (String) -> String
    ) throws -> [String] {
        var done: [String] = []
        for i in 0..<count {
            let name = String(cString: rd_kafka_topic_result_name(results![i])), code = rd_kafka_topic_result_error(results![i])
            if code == ignored { continue }
            if code != RD_KAFKA_RESP_ERR_NO_ERROR {
                throw KafkaError.make(code, what(name), detail: rd_kafka_topic_result_error_string(results![i]).map { String(cString: $0) })
            }
            done.append(name)
        }
        return done
    }

    // MARK: Calling

    /// Sends requests, waits for their answer and gives it to `result`.
    func call<R>(
        _ what: String, _ operation: rd_kafka_admin_op_t, _ requests: [OpaquePointer?],
        _ send: (_ requests: UnsafeMutablePointer<OpaquePointer?>, _ count: Int, _ options: OpaquePointer, _ queue: OpaquePointer) -> Void,
        result: (OpaquePointer) throws -> R
    ) throws -> R {
        let options = rd_kafka_AdminOptions_new(handle.rk, operation)!, queue = rd_kafka_queue_new(handle.rk)!
        defer {
            rd_kafka_AdminOptions_destroy(options)
            rd_kafka_queue_destroy(queue)
        }
        var text = [CChar](repeating: 0, count: 512)
        try KafkaError.check(rd_kafka_AdminOptions_set_request_timeout(options, timeout.wholeMilliseconds, &text, text.count), what)
        var requests = requests
        requests.withUnsafeMutableBufferPointer { send($0.baseAddress!, $0.count, options, queue) }
        // Longer than the request's own time-out, which answers.
        guard let event = rd_kafka_queue_poll(queue, timeout.wholeMilliseconds + 5000) else { throw KafkaError.make(RD_KAFKA_RESP_ERR__TIMED_OUT, what) }
        defer { rd_kafka_event_destroy(event) }
        let code = rd_kafka_event_error(event)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw KafkaError.make(code, what, detail: rd_kafka_event_error_string(event).map { String(cString: $0) })
        }
        return try result(event)
    }
}
