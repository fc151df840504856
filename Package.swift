// swift-tools-version: 6.2
import PackageDescription

/// A C library of the system, found through pkg-config; its folder holds a module map and static-inline wrappers only.
func system(_ name: String, _ pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// A built-in connector: imports `ConnectAPI` and formats, never the runtime.
func connector(_ name: String, _ folder: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: ["ConnectAPI"] + dependencies, path: "Sources/Connectors/\(folder)", swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["TestSupport"], path: "Tests/\(name)", resources: resources, swiftSettings: strict)
}

let package = Package(
    name: "sluice",
    products: [.executable(name: "sluice", targets: ["sluice"]), .library(name: "ConnectAPI", targets: ["ConnectAPI"])],
    targets: [
        system("CLibpq", "libpq", apt: "libpq-dev"),
        system("CCurl", "libcurl", apt: "libcurl4-openssl-dev"),
        system("COpenSSL", "libcrypto", apt: "libssl-dev"),
        system("CSQLite", "sqlite3", apt: "libsqlite3-dev"),
        system("CMicrohttpd", "libmicrohttpd", apt: "libmicrohttpd-dev"),
        system("CZstd", "libzstd", apt: "libzstd-dev"),
        system("CSnappy", "snappy", apt: "libsnappy-dev"),
        system("CLZ4", "liblz4", apt: "liblz4-dev"),
        system("CZlib", "zlib", apt: "zlib1g-dev"),
        system("CPCRE2", "libpcre2-8", apt: "libpcre2-dev"),
        system("CRdKafka", "rdkafka", apt: "librdkafka-dev"),

        // Debian's libbz2-dev has no pkg-config file.
        .systemLibrary(name: "CBzip2", path: "Sources/CBzip2", providers: [.apt(["libbz2-dev"])]),
        .systemLibrary(name: "CXattr", path: "Sources/CXattr"),
        .systemLibrary(name: "CChecksum", path: "Sources/CChecksum"),

        .target(name: "ConnectAPI", swiftSettings: strict),
        .target(name: "JavaRegex", dependencies: ["ConnectAPI", "CPCRE2"], swiftSettings: strict),
        .target(name: "JSON", dependencies: ["ConnectAPI"], swiftSettings: strict),
        .target(name: "Parquet", dependencies: ["ConnectAPI", "CZstd", "CSnappy", "CLZ4", "CZlib"], swiftSettings: strict),
        .target(name: "CSV", dependencies: ["ConnectAPI"], swiftSettings: strict),
        .target(name: "Transport", dependencies: ["ConnectAPI", "CCurl"], swiftSettings: strict),
        // The client library alone: topics, records and groups, nothing of connectors.
        .target(name: "Kafka", dependencies: ["ConnectAPI", "CRdKafka"], swiftSettings: strict),
        .target(name: "Avro", dependencies: ["ConnectAPI", "JSON", "CBzip2", "CZstd", "CSnappy", "CZlib"], swiftSettings: strict),
        .target(
            name: "ConnectRuntime",
            dependencies: ["Avro", "ConnectAPI", "JSON", "JavaRegex", "Kafka", "Transport", "CSQLite", "CMicrohttpd", "CZstd", "CZlib"],
            swiftSettings: strict),
        connector("ConnectorsPostgres", "Postgres", ["JavaRegex", "JSON", "CLibpq", "COpenSSL"]),
        connector(
            "ConnectorsObjectStore", "ObjectStore",
            ["Avro", "CChecksum", "JavaRegex", "JSON", "Parquet", "Transport", "COpenSSL", "CSnappy", "CXattr", "CZlib", "CZstd"]),
        connector("ConnectorsSnowflake", "Snowflake", ["ConnectorsObjectStore", "JavaRegex", "JSON", "Parquet", "Transport", "COpenSSL", "CZlib"]),
        connector("ConnectorsFileStream", "FileStream", ["JSON"]),
        connector("ConnectorsCSV", "CSV", ["CSV", "JSON", "JavaRegex", "CZlib", "CZstd"]),
        connector("ConnectorsHTTP", "HTTP", ["CSV", "JSON", "Transport"]),
        connector("ConnectorsDatagen", "Datagen", ["JSON"]),
        connector(
            "Connectors", "Registry",
            [
                "ConnectorsPostgres", "ConnectorsObjectStore", "ConnectorsFileStream", "ConnectorsCSV", "ConnectorsHTTP", "ConnectorsDatagen",
                "ConnectorsSnowflake",
            ]),
        .executableTarget(
            name: "sluice", dependencies: ["ConnectAPI", "ConnectRuntime", "Connectors", "JSON", "CCurl"], swiftSettings: strict),

        .executableTarget(
            name: "parquet-benchmark", dependencies: ["ConnectAPI", "Parquet"], path: "Benchmarks/ParquetBenchmark", swiftSettings: strict),
        .executableTarget(name: "csv-benchmark", dependencies: ["ConnectAPI", "CSV"], path: "Benchmarks/CSVBenchmark", swiftSettings: strict),
        .executableTarget(
            name: "upload-benchmark", dependencies: ["ConnectAPI", "ConnectorsObjectStore"], path: "Benchmarks/UploadBenchmark", swiftSettings: strict),
        .executableTarget(
            name: "log-benchmark", dependencies: ["Avro", "ConnectAPI", "ConnectRuntime", "JSON"], path: "Benchmarks/LogBenchmark", swiftSettings: strict),

        // What tests share: real servers on free ports, Python oracles, printed seeds. May use Foundation.
        .target(
            name: "TestSupport", dependencies: ["ConnectAPI", "CRdKafka"], path: "Tests/Support", exclude: ["http_api.py", "schema_registry.py"],
            swiftSettings: strict),
        // A program that tests kill while it appends.
        .executableTarget(
            name: "log-crash-probe", dependencies: ["ConnectAPI", "ConnectRuntime", "TestSupport"], path: "Tests/Probes/LogCrashProbe",
            swiftSettings: strict),
        tests("ConnectAPITests", ["ConnectAPI"]),
        tests("KafkaTests", ["ConnectAPI", "Kafka"]),
        tests("JSONTests", ["ConnectAPI", "JSON", "JavaRegex"], resources: [.copy("Golden")]),
        tests("AvroTests", ["Avro", "ConnectAPI", "JSON"]),
        tests("ParquetTests", ["ConnectAPI", "Parquet"]),
        tests(
            "ConnectRuntimeTests", ["Avro", "ConnectAPI", "ConnectRuntime", "Kafka", "ConnectorsFileStream", "JSON", "JavaRegex"], resources: [.copy("Golden")]),
        tests("ConnectorsPostgresTests", ["ConnectAPI", "ConnectorsPostgres", "JSON"], resources: [.copy("Golden")]),
        tests("ConnectorsObjectStoreTests", ["ConnectAPI", "ConnectorsObjectStore", "JSON", "Transport"], resources: [.copy("Golden")]),
        tests("ConnectorsCSVTests", ["ConnectAPI", "CSV", "ConnectorsCSV"]),
        tests("ConnectorsSnowflakeTests", ["ConnectAPI", "ConnectorsObjectStore", "ConnectorsSnowflake", "JSON", "Transport"]),
        tests("ConnectorsHTTPTests", ["ConnectAPI", "ConnectorsHTTP", "JSON"]),
        tests("ConnectorsDatagenTests", ["ConnectAPI", "ConnectorsDatagen"]),
        tests("IntegrationTests", ["ConnectAPI", "ConnectRuntime", "Connectors", "JSON"]),
        tests("ChaosTests", ["ConnectAPI", "JSON", "Kafka"]),
    ],
    swiftLanguageModes: [.v6]
)

// Built by scripts/fuzz.sh only: what libFuzzer calls, as a library of its own.
if Context.environment["SLUICE_FUZZ"] != nil {
    package.products.append(.library(name: "Fuzz", type: .dynamic, targets: ["Fuzz"]))
    package.targets.append(
        .target(
            name: "Fuzz",
            dependencies: [
                "Avro", "ConnectAPI", "ConnectRuntime", "ConnectorsObjectStore", "ConnectorsPostgres", "JSON", "JavaRegex", "Parquet",
            ], path: "Tests/Fuzz", exclude: ["Seeds"], swiftSettings: strict))
}
