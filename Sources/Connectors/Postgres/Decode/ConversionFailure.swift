import ConnectAPI

/// What `event.converting.failure.handling.mode=fail` makes of a value that cannot be represented.
enum ConversionFailure {
    static func error(_ table: String) -> ConnectorError {
        ConnectorError(
            "postgres.conversion", .stop, "Table \(table) has a value that cannot be represented, and event.converting.failure.handling.mode=fail",
            hint: "NaN and infinity have no Decimal: use decimal.handling.mode=string or double, or event.converting.failure.handling.mode=warn to write null")
    }
}
