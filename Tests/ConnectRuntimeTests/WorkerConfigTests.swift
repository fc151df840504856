import ConnectAPI
import Foundation
import Testing

@testable import ConnectRuntime

@Suite struct WorkerConfigTests {
    private func properties(_ text: String) throws -> [String: String] {
        Dictionary(try JavaProperties.parse(Array(text.utf8), file: "worker.properties").map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    }

    @Test func propertiesAreReadAsJavaReadsThem() throws {
        let read = try properties(
            #"""
            # a comment
              ! another
            plain=value
            colon : spaced value
            blank value with = inside
            fruits = apple, \
                     banana, \
                     pear
            path=c:\\temp\\new
            escaped\ key\:x=1\t2
            unicode=\u00e9\uD83D\uDE00
            empty=
            alone
            trailing=blanks  
            twice=1
            twice=2
            """#)
        #expect(
            read == [
                "plain": "value", "colon": "spaced value", "blank": "value with = inside", "fruits": "apple, banana, pear", "path": "c:\\temp\\new",
                "escaped key:x": "1\t2", "unicode": "é😀", "empty": "", "alone": "", "trailing": "blanks  ", "twice": "2",
            ])
    }

    @Test func aBadEscapeNamesFileAndLine() {
        let error = #expect(throws: ConnectorError.self) { try properties("a=1\nb=\\u12x4") }
        #expect(error?.message == "worker.properties:2: \\u is not followed by four hexadecimal digits")
    }

    @Test func anyBytesAreReadOrRefusedWithoutTrapping() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<3000 {
            let alphabet: [UInt8] = Array("ab=: \\\n\r#!u00e9\t".utf8) + [0xFF, 0xC3]
            let bytes = (0..<Int.random(in: 0...40, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
            _ = try? JavaProperties.parse(bytes, file: "random")
        }
    }

    @Test func environmentOverridesTheFileAsInTheImages() throws {
        let config = try WorkerConfig(
            file: ["offset.flush.interval.ms": "10000", "listeners": "http://0.0.0.0:9999"],
            environment: [
                "OFFSET_FLUSH_INTERVAL_MS": "20000", "CONNECT_OFFSET_FLUSH_INTERVAL_MS": "30000", "CONNECT_VALUE_CONVERTER_SCHEMAS_ENABLE": "false",
                "KEY_CONVERTER_SCHEMAS_ENABLE": "false", "CONNECT_CUSTOM__KEY___X": "1", "CONNECT_LOG4J_ROOT_LOGLEVEL": "warn", "HEAP_OPTS": "-Xmx1g",
            ],
            overrides: ["listeners": "http://127.0.0.1:0"])
        #expect(config.settings.offsetFlushInterval == 30000)
        #expect(config.listen == ListenAddress(host: "127.0.0.1", port: 0))
        #expect(config.rendering.value.settings == ["schemas.enable": "false"])
        #expect(config.rendering.key.settings.isEmpty)
        #expect(config.values["custom_key-x"] == "1")
        #expect(config.logLevel == .warn)
        #expect(config.notices.contains { $0.contains("KEY_CONVERTER_SCHEMAS_ENABLE has no effect") })
        #expect(config.notices.contains { $0.contains("'custom_key-x' was supplied but isn't a known config") })
    }

    @Test func aConnectorsOwnConverterTakesOnlyItsOwnSettings() throws {
        let config = try WorkerConfig(file: ["value.converter.schemas.enable": "false"])
        #expect(config.rendering(for: ["value.converter.schemas.enable": "true"]).value.settings == ["schemas.enable": "false"])
        let own = config.rendering(for: ["value.converter": "org.apache.kafka.connect.json.JsonConverter"])
        #expect(own.value.settings.isEmpty)
    }

    @Test func providersResolveFilesVariablesAndDirectories() throws {
        let directory = NSTemporaryDirectory() + "sluice-providers-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try "user=bob\npassword=s\\u0065cret\n".write(toFile: directory + "/db.properties", atomically: true, encoding: .utf8)
        try "token\n".write(toFile: directory + "/token", atomically: true, encoding: .utf8)
        setenv("SLUICE_TEST_VARIABLE", "from env", 1)
        let providers = try ConfigProviders([:])
        let resolved = try providers.resolve([
            "a": "${file:\(directory)/db.properties:user}:${file:\(directory)/db.properties:password}", "b": "${env:SLUICE_TEST_VARIABLE}!",
            "c": "${dir:\(directory):token}", "d": "${unknown:x} $5 ${topic} ${env:SLUICE_NO_SUCH}", "e": "${file:\(directory)/db.properties:nothing}",
        ])
        #expect(resolved["a"] == "bob:secret")
        #expect(resolved["b"] == "from env!")
        #expect(resolved["c"] == "token\n")
        #expect(resolved["d"] == "${unknown:x} $5 ${topic} ${env:SLUICE_NO_SUCH}")
        #expect(resolved["e"] == "${file:\(directory)/db.properties:nothing}")
        let error = #expect(throws: ConnectorError.self) { try providers.resolve(["a": "${file:/nowhere/x.properties:k}"]) }
        #expect(error?.message == "Could not read properties from file /nowhere/x.properties")
        let strict = try ConfigProviders([
            "config.providers": "f", "config.providers.f.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
            "config.providers.f.param.allowed.paths": "/etc/only",
        ])
        #expect(try strict.resolve(["a": "${f:\(directory)/db.properties:user}"])["a"] == "${f:\(directory)/db.properties:user}")
    }
}
