internal import CRdKafka
import ConnectAPI
import Synchronization

/// What librdkafka's callbacks leave for the client's owner.
final class ClientState: Sendable {
    static let log = Logger("sluice.kafka")
    private let name: String
    /// When each error was last said, so that an outage is one line and not one a second.
    private let reported = Mutex<[Int32: Int64]>([:])
    private let failure = Mutex<Failure?>(nil)
    private let rebalances = Mutex<[KafkaConsumer.Rebalance]>([])
    /// The consumer is leaving: partitions are given up at once.
    let isClosing = Atomic<Bool>(false)
    /// A consumer that asked to be a member of its group, and has not been told of any assignment, not even an empty one.
    let isJoining = Atomic<Bool>(false)

    /// Why a connection was not made or did not last.
    struct Failure {
        let code: rd_kafka_resp_err_t
        let reason: String
        /// The broker, or this client, did not want the other: the same happens when it is tried again.
        var isRefusal: Bool { code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL }
    }

    init(name: String) { self.name = name }

    /// The last failure since this was asked before.
    func takeFailure() -> Failure? { failure.withLock { $0.take() } }

    func report(_ given: rd_kafka_resp_err_t, _ reason: String) {
        // A broker that does not like our certificate, or misses it, says so after the handshake is over for us.
        let isAlert = given == RD_KAFKA_RESP_ERR__TRANSPORT && reason.contains("SSL routines") && reason.contains(" alert ")
        let code = isAlert ? RD_KAFKA_RESP_ERR__SSL : given
        // That no broker is left says less than why.
        if code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN { failure.withLock { $0 = Failure(code: code, reason: reason) } }
        let now = monotonicNow
        let isNew = reported.withLock { reported in
            if let last = reported[code.rawValue], now - last < 30_000_000_000 { return false }
            reported[code.rawValue] = now
            return true
        }
        if isNew { Self.log.warn("\(name): \(KafkaError.make(code, "talk to Kafka", detail: reason)); it tries again by itself") }
    }

    /// Called on the polling thread. The answer is the owner's, later.
    func rebalance(_ rk: OpaquePointer, _ code: rd_kafka_resp_err_t, _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) {
        isJoining.store(false, ordering: .releasing)
        let partitions = (0..<Int(list.pointee.cnt)).map { list.pointee.elems[$0].topicPartition }
        if isClosing.load(ordering: .acquiring) {
            // Each is answered as what it is: giving up what was not taken yet would be refused, and the group's end waits for an answer.
            let isAssigned = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
            if String(cString: rd_kafka_rebalance_protocol(rk)) == "COOPERATIVE" {
                if let error = isAssigned ? rd_kafka_incremental_assign(rk, list) : rd_kafka_incremental_unassign(rk, list) { rd_kafka_error_destroy(error) }
            } else {
                rd_kafka_assign(rk, isAssigned ? list : nil)
            }
            return
        }
        switch code {
        case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS: rebalances.withLock { $0.append(.assigned(partitions)) }
        case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
            let lost = rd_kafka_assignment_lost(rk) != 0
            rebalances.withLock { $0.append(.revoked(partitions, lost: lost)) }
        default:
            Self.log.warn("\(name): \(KafkaError.make(code, "rebalance the group"))")
            rd_kafka_assign(rk, nil)
        }
    }

    func takeRebalances() -> [KafkaConsumer.Rebalance] {
        rebalances.withLock { rebalances in
            defer { rebalances = [] }
            return rebalances
        }
    }
}
