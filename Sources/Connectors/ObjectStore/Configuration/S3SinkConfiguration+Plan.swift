extension S3SinkConfiguration {
    var plan: SinkPlan {
        get throws {
            let kind = try partitionerKind
            var plan = SinkPlan(naming: try naming, formats: try fileFormats, partitioner: kind, rotation: try rotationPolicy, partSize: partSize)
            plan.nulls = NullValues(rawValue: nullValues.lowercased()) ?? .fail
            plan.payloadPath = payloadPath.split(separator: ".").map(String.init)
            plan.tombstoneDirectory = tombstones
            plan.schemaAffix = isSchemaless ? nil : SchemaAffix.Place(rawValue: schemaAffix).map { SchemaAffix(place: $0, delimiter: directoryDelimiter) }
            plan.fileMaxRecords = max(0, fileMaxRecords)
            plan.fileMaxBytes = Int(max(0, fileMaxBytes))
            plan.fileMaxAge = max(0, fileMaxAge)
            plan.maxUncommitted = maxUncommitted
            plan.conditional = conditionalWrites
            plan.retryBackoff = taskRetryBackoff
            plan.tags = objectTags
            plan.flushOnStop = flushOnStop
            plan.orphanAge = orphanAge
            plan.watermarkInterval = watermarkInterval
            plan.manifestDelay = manifestDelay
            plan.schemaless = schemaless
            plan.compaction = compaction.policy
            plan.reportsNulls = reportNullValues && deadLetterTopic?.isEmpty == false && errorsTolerance == "all"
            if dropsPartitionFields { plan.droppedFields = try directoryColumns }
            if exactlyOnceMode == "ledger" { plan.keepLedger() }
            if !ignoredKeys.isEmpty { plan.notices.append("These keys are accepted and change nothing: \(ignoredKeys.joined(separator: ", "))") }
            if rotateInterval > 0, !Partitioner(kind).extractsTimes {
                plan.warnings.append("rotate.interval.ms is ignored: it needs a time partitioner (partitioner.class), which knows the time of a record")
            }
            return plan
        }
    }
}
