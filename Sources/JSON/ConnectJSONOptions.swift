/// What Kafka Connect's JsonConverter is told, and Debezium's placeholder.
package struct ConnectJSONOptions: Sendable, Hashable {
    package enum DecimalFormat: String, Sendable, Hashable { case base64 = "BASE64", numeric = "NUMERIC" }

    /// `schemas.enable`: `{"schema":…,"payload":…}` or the payload alone.
    package var schemasEnabled: Bool
    /// `decimal.format`.
    package var decimalFormat: DecimalFormat
    /// With `numeric`: a decimal of more digits is a string, for readers whose numbers end there; nil: none is.
    package var numericDigits: Int?
    /// `replace.null.with.default`: a null of a schema with a default is that default.
    package var replacesNullWithDefault: Bool
    /// `unavailable.value.placeholder`: stands for values the source did not send.
    package var unavailablePlaceholder: [UInt8]

    package init(
        schemasEnabled: Bool = true, decimalFormat: DecimalFormat = .base64, replacesNullWithDefault: Bool = true,
        unavailablePlaceholder: [UInt8] = Array("__debezium_unavailable_value".utf8)
    ) {
        self.schemasEnabled = schemasEnabled
        self.decimalFormat = decimalFormat
        self.replacesNullWithDefault = replacesNullWithDefault
        self.unavailablePlaceholder = unavailablePlaceholder
    }
}
