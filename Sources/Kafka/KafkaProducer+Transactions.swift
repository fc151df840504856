internal import CRdKafka
package import ConnectAPI

/// Transactions (KIP-98), for a producer with `transactional.id`.
///
/// Errors: `kafka.fenced` (another producer took the id: give up), `kafka.transaction_must_abort` (abort, then do it again),
/// `.retry` (call again), anything else stops.
extension KafkaProducer {
    /// Takes the transactional id over: fences whoever had it and ends its open transaction.
    package func initTransactions(timeout: Duration = .seconds(60)) async throws {
        try await blocking { [handle] in
            try KafkaError.check(rd_kafka_init_transactions(handle.rk, timeout.wholeMilliseconds), "take over the transactional id")
        }
    }

    package func beginTransaction() async throws {
        try await blocking { [handle] in try KafkaError.check(rd_kafka_begin_transaction(handle.rk), "begin a transaction") }
    }

    /// Returns when the transaction is committed, its records being on the brokers before.
    package func commitTransaction(timeout: Duration = .seconds(60)) async throws {
        try await blocking { [handle] in
            try KafkaError.check(rd_kafka_commit_transaction(handle.rk, timeout.wholeMilliseconds), "commit a transaction")
        }
    }

    package func abortTransaction(timeout: Duration = .seconds(60)) async throws {
        try await blocking { [handle] in
            try KafkaError.check(rd_kafka_abort_transaction(handle.rk, timeout.wholeMilliseconds), "abort a transaction")
        }
    }

    /// Commits a consumer's offsets with the transaction; `member` must be of the group the offsets are for.
    package func sendOffsets(_ offsets: [TopicPartition: Int64], of member: KafkaConsumer, timeout: Duration = .seconds(60)) async throws {
        let group = try await member.groupMetadata()
        try await blocking { [handle] in
            let list = PartitionList(offsets)
            try KafkaError.check(
                withExtendedLifetime(group) {
                    list.withPointer { rd_kafka_send_offsets_to_transaction(handle.rk, $0, group.pointer, timeout.wholeMilliseconds) }
                }, "add offsets to a transaction")
        }
    }

    /// Throws what is wrong with the open transaction, if something is: asked to begin another, the client says so and does nothing else.
    package func checkTransaction() async throws {
        try await blocking { [handle] in
            guard let error = rd_kafka_begin_transaction(handle.rk) else { return }
            if rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__STATE { return rd_kafka_error_destroy(error) }
            try KafkaError.check(error, "go on with a transaction")
        }
    }

    /// Waits until everything produced so far was acknowledged or refused, and does not linger; false when the time is up before.
    package func flush(timeout: Duration) async throws -> Bool {
        try await blocking { [handle] in rd_kafka_flush(handle.rk, timeout.wholeMilliseconds) == RD_KAFKA_RESP_ERR_NO_ERROR }
    }
}

extension Duration {
    var wholeMilliseconds: Int32 { Int32(clamping: components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000) }
}
