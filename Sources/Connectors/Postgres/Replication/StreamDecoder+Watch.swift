import ConnectAPI

/// Which keys of a table change while a chunk of an incremental snapshot waits for its window to close.
extension StreamDecoder {
    struct Watch {
        /// `schema.table`
        let table: String
        var keys: Set<Value> = []
        /// The table was truncated or altered, or a change of it was left out: its rows cannot be told apart by key.
        var isStale = false

        mutating func note(_ batch: RecordBatch) {
            guard let key = batch.key else {
                isStale = true
                return
            }
            for row in 0..<batch.count { keys.insert(key[row]) }
        }
    }

    enum WatchedChanges {
        case keys(Set<Value>)
        case stale
    }
}
