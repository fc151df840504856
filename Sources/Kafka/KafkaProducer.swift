internal import CRdKafka
package import ConnectAPI
import Synchronization

/// A producer: batches in, one answer a batch.
///
///     produce(batch) ─ messages that point into it ─▶ librdkafka's threads ─▶ brokers ─▶ delivery reports ─▶ this object's thread ─▶ done
///                  └─ waits while `buffer.memory` is used up
///
/// Messages of a partition are written in the order they were given (Invariant 3): one request is under way a broker, or with
/// `enable.idempotence` several whose order the broker checks. Nothing times out by default: a broker that is away is waited for.
package final class KafkaProducer: Sendable {
    /// What Kafka Connect gives the producers of connectors.
    package static let connectDefaults = [
        "acks": "all", "max.in.flight.requests.per.connection": "1", "delivery.timeout.ms": "2147483647", "enable.idempotence": "false",
        "partitioner": "murmur2_random", "linger.ms": "5", "request.timeout.ms": "30000", "compression.type": "none",
        "reconnect.backoff.ms": "50", "reconnect.backoff.max.ms": "1000",
    ]

    let handle: KafkaHandle
    private let topics = Mutex<[String: TopicHandle]>([:])
    private let flow = Monitor(Flow())
    private let bufferMemory: Int
    /// `transaction.timeout.ms`: the broker aborts a transaction that is open for so long.
    package let transactionTimeout: Duration
    private let ended = PendingEnd()
    /// Where calls that block run.
    private let thread: ThreadExecutor

    private struct Flow {
        var bytes = 0
        var isClosing = false
    }

    // @unchecked: a topic handle may be used from any thread.
    private struct TopicHandle: @unchecked Sendable { let pointer: OpaquePointer }

    package init(_ settings: KafkaSettings) throws {
        handle = try KafkaHandle(.producer, settings) { rd_kafka_conf_set_events($0, RD_KAFKA_EVENT_DR) }
        bufferMemory = settings.bufferMemory
        transactionTimeout = .milliseconds(settings["transaction.timeout.ms"].flatMap { Int64($0) } ?? 60_000)
        thread = ThreadExecutor("kafka-producer")
        startThread { [handle, flow, ended] in
            Self.serve(handle, flow)
            ended.finish()
        }
    }

    deinit {
        flow.withLock { $0.isClosing = true }
        thread.stop()
        for topic in topics.withLock({ $0 }).values { rd_kafka_topic_destroy(topic.pointer) }
    }

    /// Gives up what is under way and ends the thread. What is not yet acknowledged is answered with `kafka.abandoned`.
    package func close() async {
        abandon()
        flow.withLock { $0.isClosing = true }
        await ended.wait()
    }

    // MARK: Sending

    /// Queues the records. `done` is called once, on the producer's thread, when brokers have all of them or one was refused. Blocks the
    /// calling thread while `buffer.memory` is used up: call it from a thread of its own.
    package func produce(_ batch: KafkaBatch, done: @escaping @Sendable (Result<Void, ConnectorError>) -> Void) {
        let bytes = batch.byteCount
        flow.wait { flow in
            if flow.bytes > 0, flow.bytes + bytes > self.bufferMemory, !flow.isClosing { return nil as Void? }
            flow.bytes += bytes
            return ()
        }
        enqueue(batch, bytes, done)
    }

    /// Sends records and returns when brokers have them, with the offsets behind them. For small numbers: it does not wait for the buffer.
    @discardableResult
    package func send(_ records: [KafkaRecord]) async throws -> [TopicPartition: Int64] {
        guard !records.isEmpty else { return [:] }
        let answers = Answers(expected: records.count)
        let deliveries = records.map { record in
            let batch = KafkaBatch(record), bytes = batch.byteCount
            flow.withLock { $0.bytes += bytes }
            return enqueue(batch, bytes) { answers.add($0) }
        }
        try await answers.wait()
        return Dictionary(deliveries.compactMap(\.end), uniquingKeysWith: max)
    }

    /// Gives up everything queued or under way: it is answered with `kafka.abandoned`.
    package func abandon() {
        _ = rd_kafka_purge(handle.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
        flow.notify { _ in }
    }

    /// Bytes that brokers have not acknowledged.
    package var bytesUnderWay: Int { flow.withLock { $0.bytes } }

    /// Why the producer can do nothing more, if so: `kafka.fenced` or `kafka.fatal`.
    package var fatalError: ConnectorError? { handle.fatalError }

    @discardableResult
    private func enqueue(
        _ batch: KafkaBatch, _ bytes: Int, _ done: @escaping @Sendable (Result<Void, ConnectorError>) -> Void
    ) -> Delivery {
        let delivery = Delivery(batch) { [flow] result in
            flow.notify { $0.bytes -= bytes }
            done(result)
        }
        guard batch.count > 0 else {
            delivery.finish()
            return delivery
        }
        do {
            let topic = try topic(batch.topic)
            // Retained until the last message was reported, and with it the values, which librdkafka does not copy: an array's bytes stay where
            // they are as long as somebody holds it and nobody changes it.
            let opaque = Unmanaged.passRetained(delivery).toOpaque()
            let sent = delivery.batch.forEachMessage { row, key, value, timestamp, headers in
                let code = sluice_rd_kafka_produce(
                    handle.rk, topic.pointer, batch.partition ?? RD_KAFKA_PARTITION_UA, key.baseAddress, key.count, value.baseAddress, value.count, timestamp,
                    headers, opaque)
                if code == RD_KAFKA_RESP_ERR_NO_ERROR { return true }
                if let headers { rd_kafka_headers_destroy(headers) }
                delivery.fail(code, bytes: key.count + value.count, fatal: handle.fatalError)
                return false
            }
            delivery.report(batch.count - sent, opaque)
        } catch {
            delivery.fail(error)
            delivery.finish()
        }
        return delivery
    }

    private func topic(_ name: String) throws -> TopicHandle {
        try topics.withLock { topics in
            if let known = topics[name] { return known }
            guard let pointer = rd_kafka_topic_new(handle.rk, name, nil) else {
                throw KafkaError.make(rd_kafka_last_error(), "write to topic \(name)")
            }
            let made = TopicHandle(pointer: pointer)
            topics[name] = made
            return made
        }
    }

    // MARK: Reports

    private static func serve(_ handle: KafkaHandle, _ flow: Monitor<Flow>) {
        let queue = rd_kafka_queue_get_main(handle.rk)!
        defer { rd_kafka_queue_destroy(queue) }
        var messages = [UnsafePointer<rd_kafka_message_t>?](repeating: nil, count: 4096)
        while true {
            guard let event = rd_kafka_queue_poll(queue, 100) else {
                if flow.withLock({ $0.isClosing }) {
                    _ = rd_kafka_purge(handle.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
                    if rd_kafka_outq_len(handle.rk) == 0 { return }
                }
                continue
            }
            defer { rd_kafka_event_destroy(event) }
            guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR else { continue }
            while true {
                let count = rd_kafka_event_message_array(event, &messages, messages.count)
                if count == 0 { break }
                report(messages[0..<count])
            }
        }
    }

    /// Runs of one batch's messages are reported together.
    private static func report(_ messages: ArraySlice<UnsafePointer<rd_kafka_message_t>?>) {
        var current: UnsafeMutableRawPointer?, run = 0, last: (partition: Int32, offset: Int64)?
        func close() {
            if let current, run > 0 {
                let delivery = Unmanaged<Delivery>.fromOpaque(current).takeUnretainedValue()
                if let last { delivery.note(partition: last.partition, offset: last.offset) }
                delivery.report(run, current)
            }
            run = 0
            last = nil
        }
        for message in messages {
            guard let message, let opaque = message.pointee._private else { continue }
            if opaque != current {
                close()
                current = opaque
            }
            run += 1
            if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR, message.pointee.offset >= 0 {
                last = (message.pointee.partition, message.pointee.offset)
            }
            if message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR {
                Unmanaged<Delivery>.fromOpaque(opaque).takeUnretainedValue()
                    .fail(message.pointee.err, bytes: message.pointee.len + message.pointee.key_len, fatal: nil)
            }
        }
        close()
    }

    /// Runs a call that blocks, off the cooperative pool.
    func blocking<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await Task(executorPreference: thread) { try body() }.value
    }
}
