internal import CRdKafka
import ConnectAPI

/// librdkafka's and the brokers' errors, in words.
package enum KafkaError {
    /// The codes callers decide by.
    package static let fenced = "kafka.fenced", fatal = "kafka.fatal", abortable = "kafka.transaction_must_abort", queueFull = "kafka.queue_full"
    package static let recordTooLarge = "kafka.record_too_large", unknownTopic = "kafka.unknown_topic", notAuthorized = "kafka.not_authorized"
    package static let unreachable = "kafka.unreachable", staleMember = "kafka.stale_group_member"
    package static let abandoned = "kafka.abandoned"
    private static let invalidTopic = "kafka.invalid_topic", refused = "kafka.refused"
    /// What a record meets again when it is sent again.
    package static let permanent: Set<String> = [recordTooLarge, notAuthorized, unknownTopic, invalidTopic, refused]

    /// `what`: what was tried, beginning with a verb: `write to topic orders`.
    static func make(_ code: rd_kafka_resp_err_t, _ what: String, detail: String? = nil) -> ConnectorError {
        let text = detail ?? String(cString: rd_kafka_err2str(code)), name = String(cString: rd_kafka_err2name(code))
        func error(_ id: String, _ disposition: ConnectorError.Disposition, _ reason: String, _ hint: String?) -> ConnectorError {
            ConnectorError(id, disposition, "Could not \(what): \(reason) (\(name))", hint: hint)
        }
        switch code {
        case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
            return error(
                unreachable, .retry, "the brokers cannot be reached: \(text)", "Check bootstrap.servers, the brokers' advertised.listeners and the network")
        case RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
            return error("kafka.timeout", .retry, "no broker answered in time", "Check bootstrap.servers, the brokers' advertised.listeners and their load")
        case RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM,
            RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
            return error(
                "kafka.authentication_failed", .stop, "the broker did not accept the login: \(text)",
                "Check sasl.mechanism, sasl.jaas.config and security.protocol"
                    + (text.contains("SCRAM") && !knowsSCRAMOfKafka4 ? scramAdvice : ""))
        case RD_KAFKA_RESP_ERR__SSL:
            return error(
                "kafka.tls_failed", .stop, "TLS failed: \(text)",
                "Check ssl.truststore.location (a PEM file), ssl.keystore.location if the broker asks for a certificate, the broker's own certificate and "
                    + "ssl.endpoint.identification.algorithm")
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            return error(notAuthorized, .stop, "the user may not use the topic", "Grant it, or change the user in sasl.jaas.config")
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
            return error(notAuthorized, .stop, "the user may not use the consumer group", "Grant READ on the group")
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
            return error(notAuthorized, .stop, "the user lacks a right on the cluster", "Grant it; enable.idempotence needs IDEMPOTENT_WRITE on old brokers")
        case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return error(notAuthorized, .stop, "the user may not use the transactional id", "Grant WRITE and DESCRIBE on it")
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
            return error(
                recordTooLarge, .stop, "the record is larger than what may be sent",
                "Raise producer.override.max.request.size and the topic's max.message.bytes, or leave the large column out")
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            return error(
                unknownTopic, .stop, "there is no such topic or partition", "Create it, or set topic.creation.default.partitions and .replication.factor")
        case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
            return error(invalidTopic, .stop, "the topic's name is not valid", "Route it to a valid name with RegexRouter")
        case RD_KAFKA_RESP_ERR_POLICY_VIOLATION, RD_KAFKA_RESP_ERR_INVALID_CONFIG, RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR,
            RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
            return error(refused, .stop, "the broker refused it: \(text)", nil)
        case RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
            RD_KAFKA_RESP_ERR_TRANSACTION_COORDINATOR_FENCED, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
            return error(fenced, .stop, "another instance with the same identity has taken over", nil)
        case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
            RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
            return error(
                staleMember, .retry, "the consumer group has moved on without this member: \(text)",
                "Raise consumer.override.max.poll.interval.ms if this repeats")
        case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP, RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC:
            return error("kafka.group_active", .stop, "the consumer group has members", "Stop the connector first")
        case RD_KAFKA_RESP_ERR__QUEUE_FULL: return error(queueFull, .retry, "the producer's queue is full", nil)
        case RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR__DESTROY:
            return error(abandoned, .stop, "it was given up", nil)
        case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
            return error("kafka.unsupported", .stop, "the broker does not support it: \(text)", nil)
        case RD_KAFKA_RESP_ERR__FATAL: return error(fatal, .stop, text, nil)
        default: return error("kafka.failed", retriable.contains(code.rawValue) ? .retry : .stop, text, nil)
        }
    }

    /// What a broker says while it starts, moves or loads.
    private static let retriable: Set<Int32> = Set(
        [
            RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_REPLICA_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_NOT_COORDINATOR, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            RD_KAFKA_RESP_ERR_NOT_CONTROLLER, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, RD_KAFKA_RESP_ERR_FENCED_LEADER_EPOCH,
            RD_KAFKA_RESP_ERR_UNKNOWN_LEADER_EPOCH, RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT,
            RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, RD_KAFKA_RESP_ERR__WAIT_COORD,
            RD_KAFKA_RESP_ERR__WAIT_CACHE, RD_KAFKA_RESP_ERR__IN_PROGRESS, RD_KAFKA_RESP_ERR__RETRY,
        ].map(\.rawValue))

    /// Before 2.6.1 librdkafka answered SCRAM's challenge with its own nonce twice (confluentinc/librdkafka#4895); brokers of Kafka 4 refuse that.
    package static var knowsSCRAMOfKafka4: Bool { rd_kafka_version() >= 0x0206_01FF }
    private static var scramAdvice: String {
        ". If they are right and the broker is Kafka 4 or later: librdkafka \(String(cString: rd_kafka_version_str())), which is installed here, cannot log in "
            + "there by SCRAM; install 2.6.1 or later (Debian 13 has it), or use PLAIN"
    }

    static func check(_ code: rd_kafka_resp_err_t, _ what: @autoclosure () -> String) throws {
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw make(code, what()) }
    }

    /// Takes an error object over, if there is one. Tells fenced, fatal, abortable and retriable apart.
    static func check(_ error: OpaquePointer?, _ what: @autoclosure () -> String) throws {
        guard let error else { return }
        defer { rd_kafka_error_destroy(error) }
        let code = rd_kafka_error_code(error), text = String(cString: rd_kafka_error_string(error))
        let mapped = make(code, what(), detail: text)
        if mapped.code == fenced { throw mapped }
        if rd_kafka_error_txn_requires_abort(error) != 0 {
            throw ConnectorError(abortable, .retry, mapped.message, hint: "The transaction is aborted and its records are sent again", underlying: mapped)
        }
        if rd_kafka_error_is_fatal(error) != 0 { throw ConnectorError(fatal, .stop, mapped.message, hint: mapped.hint, underlying: mapped) }
        if rd_kafka_error_is_retriable(error) != 0 { throw ConnectorError(mapped.code, .retry, mapped.message, hint: mapped.hint) }
        throw mapped
    }
}
