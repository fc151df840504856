import ConnectAPI

/// The keys of compaction, which the faces of the sink have in common.
struct CompactionConfiguration: ConfigurationSection {
    @Field(
        "compact.interval.ms", default: "-1", importance: .low,
        doc:
            "Milliseconds between looks for small files that lie one after the other in a directory and are merged into larger ones, beside the writing; -1: none are merged. Readers may see rows of a merge twice for a moment, never none",
        group: "Sluice", check: .atLeast(-1)) var interval: Int64
    @Field(
        "compact.target.bytes", default: "134217728", importance: .low,
        doc: "Bytes that a merged file has about; files of half of it and more are left alone", group: "Sluice", check: .atLeast(2)) var targetBytes: Int64
    @Field(
        "compact.min.files", default: "10", importance: .low, doc: "Small files one after the other that are merged although they do not make a whole target",
        group: "Sluice", check: .between(2, 1000)) var minFiles: Int
    @Field(
        "compact.min.age.ms", default: "3600000", importance: .low,
        doc:
            "Milliseconds since a file was stored before it may be merged: longer than a worker may be frozen and than readers take from listing to reading",
        group: "Sluice", check: .atLeast(0)) var minAge: Int64

    var policy: CompactionPolicy? {
        interval < 0 ? nil : CompactionPolicy(interval: interval, targetBytes: targetBytes, minFiles: minFiles, minAge: minAge)
    }

    /// What speaks against merging the files of a plan; nil: the plan has mistakes of its own, which are said elsewhere.
    func findings(_ plan: SinkPlan?) -> [Diagnostic] {
        guard interval >= 0, let plan else { return [] }
        var problems: [String] = []
        if plan.keepsLedger {
            problems.append("A ledger lists every file, and would list none that is merged: remove exactly.once.mode=ledger")
        }
        if plan.formats.values.join == nil {
            problems.append("Files of this format cannot be joined: choose Parquet, JSON lines, CSV or bytes")
        }
        if plan.formats.storesKeys || plan.formats.storesHeaders {
            problems.append(
                "Files of keys and headers stand beside each file, and would stand beside none: set store.kafka.keys and store.kafka.headers to false")
        }
        if plan.manifestDelay >= 0 {
            problems.append("A manifest names the files of a directory, and a merge gives them another name: remove directory.manifest.delay.ms")
        }
        if plan.keepsNewest || !plan.conditional {
            problems.append(
                plan.keepsNewest
                    ? "Files of a {{key}} are replaced by newer ones: give file.name.template {{start_offset}}"
                    : "Files that may be replaced cannot be merged: set enable.conditional.writes=true")
        }
        if plan.naming.template?.dividesInNames == true {
            problems.append(
                "Files of several groups are in one directory: put what divides records ({{field:…}}, {{key}}, {{directory}}, a timestamp no finer than an hour) before the last / of file.name.template"
            )
        }
        if plan.naming.template == nil, plan.naming.fileDelimiter.isEmpty || plan.naming.directoryDelimiter.isEmpty {
            problems.append("Names without delimiters tell no offsets: set directory.delim and file.delim")
        }
        return problems.map { Diagnostic("compact.interval.ms", "\($0), or leave compact.interval.ms at -1") }
    }
}
