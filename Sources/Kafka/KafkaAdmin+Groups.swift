internal import CRdKafka
package import ConnectAPI

/// Consumer groups and what is kept of partitions.
extension KafkaAdmin {
    /// Every offset a group has committed.
    package func groupOffsets(_ group: String) throws -> [TopicPartition: Int64] {
        let request = rd_kafka_ListConsumerGroupOffsets_new(group, nil)
        defer { rd_kafka_ListConsumerGroupOffsets_destroy(request) }
        return try call("read the offsets of group \(group)", RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, [request]) { pointers, count, options, queue in
            rd_kafka_ListConsumerGroupOffsets(handle.rk, pointers, count, options, queue)
        } result: { event in
            var count = 0
            let groups = rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &count)
            return try Self.offsets(groups, count, "read the offsets of group \(group)")
        }
    }

    /// Sets a group's offsets. Throws `kafka.group_active` while it has members.
    package func alterGroupOffsets(_ group: String, _ offsets: [TopicPartition: Int64]) throws {
        guard !offsets.isEmpty else { return }
        let list = PartitionList(offsets)
        let request = list.withPointer { rd_kafka_AlterConsumerGroupOffsets_new(group, $0) }
        defer { rd_kafka_AlterConsumerGroupOffsets_destroy(request) }
        _ = try call("set the offsets of group \(group)", RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, [request]) { pointers, count, options, queue in
            rd_kafka_AlterConsumerGroupOffsets(handle.rk, pointers, count, options, queue)
        } result: { event in
            var count = 0
            let groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(rd_kafka_event_AlterConsumerGroupOffsets_result(event), &count)
            return try Self.offsets(groups, count, "set the offsets of group \(group)")
        }
    }

    /// Removes a group's offsets of some partitions.
    package func deleteGroupOffsets(_ group: String, _ partitions: [TopicPartition]) throws {
        guard !partitions.isEmpty else { return }
        let list = PartitionList(partitions)
        let request = list.withPointer { rd_kafka_DeleteConsumerGroupOffsets_new(group, $0) }
        defer { rd_kafka_DeleteConsumerGroupOffsets_destroy(request) }
        _ = try call("remove offsets of group \(group)", RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS, [request]) { pointers, count, options, queue in
            rd_kafka_DeleteConsumerGroupOffsets(handle.rk, pointers, count, options, queue)
        } result: { event in
            var count = 0
            let groups = rd_kafka_DeleteConsumerGroupOffsets_result_groups(rd_kafka_event_DeleteConsumerGroupOffsets_result(event), &count)
            return try Self.offsets(groups, count, "remove offsets of group \(group)")
        }
    }

    /// Removes a group and all its offsets; one that is not there is no error.
    package func deleteGroup(_ group: String) throws {
        let request = rd_kafka_DeleteGroup_new(group)
        defer { rd_kafka_DeleteGroup_destroy(request) }
        try call("remove group \(group)", RD_KAFKA_ADMIN_OP_DELETEGROUPS, [request]) { pointers, count, options, queue in
            rd_kafka_DeleteGroups(handle.rk, pointers, count, options, queue)
        } result: { event in
            var count = 0
            let groups = rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &count)
            for i in 0..<count { try Self.check(rd_kafka_group_result_error(groups![i]), "remove group \(group)") }
        }
    }

    /// Drops the records before these offsets.
    package func deleteRecords(before offsets: [TopicPartition: Int64]) throws {
        guard !offsets.isEmpty else { return }
        let list = PartitionList(offsets)
        let request = list.withPointer { rd_kafka_DeleteRecords_new($0) }
        defer { rd_kafka_DeleteRecords_destroy(request) }
        try call("delete records", RD_KAFKA_ADMIN_OP_DELETERECORDS, [request]) { pointers, count, options, queue in
            rd_kafka_DeleteRecords(handle.rk, pointers, count, options, queue)
        } result: { event in
            guard let offsets = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event)) else { return }
            for i in 0..<Int(offsets.pointee.cnt) {
                try KafkaError.check(offsets.pointee.elems[i].err, "delete records of \(offsets.pointee.elems[i].topicPartition)")
            }
        }
    }

    /// Errors of answers belong to the answer: they are looked at, not taken over.
    private static func check(_ error: OpaquePointer?, _ what: String) throws {
        guard let error else { return }
        let code = rd_kafka_error_code(error)
        if code == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND { return }
        throw KafkaError.make(code, what, detail: String(cString: rd_kafka_error_string(error)))
    }

    private static func offsets(_ groups: UnsafeMutablePointer<OpaquePointer?>?, _ count: Int, _ what: String) throws -> [TopicPartition: Int64] {
        var out: [TopicPartition: Int64] = [:]
        for i in 0..<count {
            try check(rd_kafka_group_result_error(groups![i]), what)
            guard let list = rd_kafka_group_result_partitions(groups![i]) else { continue }
            for j in 0..<Int(list.pointee.cnt) {
                let entry = list.pointee.elems[j]
                try KafkaError.check(entry.err, "\(what) for \(entry.topicPartition)")
                if entry.offset >= 0 { out[entry.topicPartition] = entry.offset }
            }
        }
        return out
    }
}
