import ConnectAPI

/// Makes a table's record schemas from its definition and the configuration: topic, columns captured, key.
struct SchemaFactory: Sendable {
    private let configuration: PostgresConfiguration
    private let filter: CaptureFilter
    private let conversion: ValueConversion
    private let source: SourceIdentity
    private let log: Logger

    init(_ configuration: PostgresConfiguration, _ filter: CaptureFilter, task: Int, log: Logger) {
        self.configuration = configuration
        self.filter = filter
        conversion = configuration.valueConversion
        var source = configuration.sourceIdentity
        source.task = String(task)
        self.source = source
        self.log = log
    }

    func schema(_ table: TableDefinition, types: [UInt32: TypeDefinition], warns: Bool = true) throws -> TableSchema {
        let schema = try TableSchema(
            table, types: types, topic: configuration.topic(configuration.topicPrefix ?? "", table.schema, table.name), conversion: conversion,
            source: source, includes: { filter.capturesColumn($0.name, schema: table.schema, table: table.name) },
            keyColumnNames: filter.keyColumns(schema: table.schema, table: table.name),
            mask: { filter.mask($0.name, schema: table.schema, table: table.name) },
            describes: { column, type in
                SourceDescription(
                    of: column, type, comment: configuration.includeSchemaComments,
                    sourceType: filter.propagatesType(of: column.name, type.name, schema: table.schema, table: table.name))
            })
        if warns, !schema.omitted.isEmpty {
            log.warn(
                "Table \(table.schema).\(table.name): left out columns of types that are not supported: \(schema.omitted.joined(separator: ", ")). "
                    + "Set include.unknown.datatypes=true to capture them as bytes")
        }
        return schema
    }
}
