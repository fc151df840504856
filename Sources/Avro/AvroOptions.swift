/// What Confluent's AvroData is told, and Debezium's placeholder.
package struct AvroOptions: Sendable, Hashable {
    /// `connect.meta.data`: whether `connect.*` properties are written, and what they say is read.
    package var connectMetadata = true
    /// `enhanced.avro.schema.support`: enums stay enums, and members of unions bear full names.
    package var isEnhanced = false
    /// `ignore.default.for.nullables`: a null stays a null where its field has a default.
    package var ignoresDefaultForNullables = false
    /// `allow.optional.map.keys`: maps of optional strings are Avro maps, too.
    package var allowsOptionalMapKeys = false
    /// `scrub.invalid.names`.
    package var scrubsInvalidNames = false
    /// `flatten.singleton.unions`: a union of one type is that type.
    package var flattensSingletonUnions = true
    /// `unavailable.value.placeholder`: stands for values the source did not send.
    package var unavailablePlaceholder = Array("__debezium_unavailable_value".utf8)

    package init() {}
}

/// Names of properties and parameters that AvroData gives a meaning.
enum AvroProperty {
    static let space = "io.confluent.connect.avro"
    static let defaultName = space + ".ConnectDefault"
    static let mapEntry = space + ".MapEntry"
    static let union = space + ".Union"
    static let enumeration = space + ".Enum"
    static let recordDoc = space + ".record.doc"
    static let fieldDoc = space + ".field.doc."
    static let fieldDefault = space + ".field.default"
    static let enumDoc = space + ".enum.doc."
    static let enumDefault = space + ".enum.default."
    static let name = "connect.name"
    static let doc = "connect.doc"
    static let version = "connect.version"
    static let parameters = "connect.parameters"
    static let defaultValue = "connect.default"
    static let type = "connect.type"
    static let internalType = "connect.internal.type"
    static let fixedSize = "connect.fixed.size"
    static let precision = "connect.decimal.precision"
    static let logicalType = "logicalType"
}
