internal import CRdKafka
import ConnectAPI
import Synchronization

/// A librdkafka client: made from settings, destroyed with this object. What it says goes to the logger `sluice.kafka`.
// @unchecked: librdkafka's handle may be used from any thread; everything else is immutable or behind a lock.
final class KafkaHandle: @unchecked Sendable {
    let rk: OpaquePointer
    private let role: KafkaSettings.Role
    /// A broker has answered: what fails from now on may pass.
    private let hasAnswered = Atomic<Bool>(false)
    let state: ClientState
    /// librdkafka's callbacks use it until the client is destroyed.
    private let retained: Unmanaged<ClientState>

    /// Throws `kafka.config_invalid` when librdkafka refuses a value. `prepare` is given the configuration before the client is made.
    init(_ role: KafkaSettings.Role, _ settings: KafkaSettings, prepare: (OpaquePointer) -> Void = { _ in }) throws {
        let conf = rd_kafka_conf_new()!
        var text = [CChar](repeating: 0, count: 512)
        var settings = settings
        for (name, value) in settings.properties {
            switch rd_kafka_conf_set(conf, name, value, &text, text.count) {
            case RD_KAFKA_CONF_OK: break
            case RD_KAFKA_CONF_UNKNOWN: settings.ignore(name)
            default:
                rd_kafka_conf_destroy(conf)
                throw KafkaSettings.invalid(name, Self.isSecret(name) ? "librdkafka does not take it" : Self.string(text))
            }
        }
        let name = settings["client.id"] ?? role.rawValue
        state = ClientState(name: name)
        self.role = role
        retained = Unmanaged.passRetained(state)
        rd_kafka_conf_set_opaque(conf, retained.toOpaque())
        rd_kafka_conf_set_error_cb(conf) { rk, code, reason, opaque in
            guard let opaque else { return }
            let state = Unmanaged<ClientState>.fromOpaque(opaque).takeUnretainedValue()
            state.report(rd_kafka_resp_err_t(rawValue: code), reason.map { String(cString: $0) } ?? "")
        }
        rd_kafka_conf_set_log_cb(conf) { rk, level, _, text in
            // What matters comes as an error or as an answer; these are the details.
            guard let text else { return }
            ClientState.log.debug(String(cString: text))
        }
        // Whoever asks whether a topic is there must not make it by asking, as a producer would.
        if role == .admin { rd_kafka_conf_set(conf, "allow.auto.create.topics", "false", &text, text.count) }
        prepare(conf)
        guard let rk = rd_kafka_new(role == .producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, &text, text.count) else {
            rd_kafka_conf_destroy(conf)
            retained.release()
            throw ConnectorError("kafka.config_invalid", .stop, "The Kafka client \(name) cannot be made: \(Self.string(text))")
        }
        self.rk = rk
        for notice in settings.notices { ClientState.log.warn("\(name): \(notice)") }
    }

    deinit {
        // Between the group's answer to a join and the first assignment librdkafka (2.0) fails an assertion when it is destroyed, and with it the
        // process. A consumer that is closed just then is left as it is: out of its group, with two idle threads.
        if state.isJoining.load(ordering: .acquiring) { return }
        rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
        retained.release()
    }

    /// Why the client can do nothing more, if so.
    var fatalError: ConnectorError? {
        var text = [CChar](repeating: 0, count: 512)
        let code = rd_kafka_fatal_error(rk, &text, text.count)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaError.make(code, "go on", detail: Self.string(text))
    }

    /// The number of partitions of every topic, or of one that exists. An admin client that no broker has answered yet throws as soon as one refuses the
    /// login or TLS fails: waiting does not help.
    func partitionCounts(_ topic: String?, _ timeout: Duration) throws -> [String: Int32] {
        let what = "ask the cluster for its topics", deadline = ContinuousClock.now + timeout
        var metadata: UnsafePointer<rd_kafka_metadata>?
        var one: OpaquePointer?
        defer { if let one { rd_kafka_topic_destroy(one) } }
        if let topic { one = rd_kafka_topic_new(rk, topic, nil) }
        // Others are polled by their owner, and have its errors.
        let isFirst = role == .admin && !hasAnswered.load(ordering: .relaxed)
        // A piece that ends asks again from the beginning, so pieces grow: a slow answer comes within one of them.
        var piece = isFirst ? Duration.seconds(1) : timeout, failure: ClientState.Failure?
        while true {
            let left = max(.milliseconds(1), min(piece, deadline - .now))
            let code = rd_kafka_metadata(rk, topic == nil ? 1 : 0, one, &metadata, left.wholeMilliseconds)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR {
                hasAnswered.store(true, ordering: .relaxed)
                break
            }
            guard isFirst, code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT else { throw KafkaError.make(code, what) }
            rd_kafka_poll(rk, 0)
            failure = state.takeFailure() ?? failure
            guard ContinuousClock.now < deadline, failure?.isRefusal != true else {
                throw KafkaError.make(failure?.code ?? code, what, detail: failure?.reason)
            }
            piece *= 2
        }
        guard let metadata else { return [:] }
        defer { rd_kafka_metadata_destroy(metadata) }
        var out: [String: Int32] = [:]
        for entry in UnsafeBufferPointer(start: metadata.pointee.topics, count: Int(metadata.pointee.topic_cnt)) {
            let name = String(cString: entry.topic)
            switch entry.err {
            case RD_KAFKA_RESP_ERR_NO_ERROR: out[name] = entry.partition_cnt
            // Being made, or not there.
            case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE: break
            default: if topic != nil { throw KafkaError.make(entry.err, "describe topic \(name)") }
            }
        }
        return out
    }

    private static func isSecret(_ name: String) -> Bool { name.contains("password") || name.contains("secret") || name.hasSuffix(".pem") }

    static func string(_ text: [CChar]) -> String { String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) }
}
