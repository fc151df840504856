import ConnectAPI

/// `io.debezium.transforms.openlineage.OpenLineage`: records pass. Lineage is reported only where a connector's `openlineage.integration.enabled` is
/// on, which ours refuse, so here as there the transform changes nothing; that is said once.
struct OpenLineage: Transform {
    static let className = "io.debezium.transforms.openlineage.OpenLineage"
    struct Configuration: ConnectConfiguration { init() {} }

    init(_ configuration: Configuration) {
        Logger("io.debezium.transforms").warn("OpenLineage reports nothing here: records pass as they are; remove the transform")
    }

    func apply(_ batch: TransformedBatch) -> [TransformedBatch] { [batch] }
}
