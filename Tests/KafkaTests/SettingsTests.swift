import ConnectAPI
import TestSupport
import Testing

@testable import Kafka

@Suite struct SettingsTests {
    @Test func javaNamesBecomeLibrdkafkas() throws {
        let settings = try KafkaSettings(
            .producer, ["bootstrap.servers": "a:1", "acks": "1", "linger.ms": "5"],
            ["acks": "all", "max.request.size": "5000", "delivery.timeout.ms": "2147483647", "send.buffer.bytes": "-1", "retries": "2147483647"])
        #expect(settings["acks"] == "all")
        #expect(settings["message.max.bytes"] == "5000")
        #expect(settings["delivery.timeout.ms"] == "0")
        #expect(settings["socket.send.buffer.bytes"] == "0")
        #expect(settings["linger.ms"] == "5")
        #expect(settings.notices.isEmpty)
    }

    @Test func loginsAreReadFromJAAS() throws {
        let plain = try KafkaSettings(
            .consumer,
            ["sasl.jaas.config": #"org.apache.kafka.common.security.plain.PlainLoginModule required username="me" password="a\"b;c=d" ;"#])
        #expect(plain["sasl.username"] == "me" && plain["sasl.password"] == "a\"b;c=d")
        let kerberos = try KafkaSettings(
            .consumer, ["sasl.jaas.config": "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true keyTab='/k' principal='p@R';"])
        #expect(kerberos["sasl.kerberos.keytab"] == "/k" && kerberos["sasl.kerberos.principal"] == "p@R")
        for text in [
            "", "x", "PlainLoginModule", "PlainLoginModule required username", "PlainLoginModule required username=\"x",
            "software.amazon.msk.auth.iam.IAMLoginModule required;",
        ] {
            #expect(throws: ConnectorError.self) { try KafkaSettings(.consumer, ["sasl.jaas.config": text]) }
        }
    }

    @Test func javaKeystoresAreRefusedWithAWayOut() throws {
        let error = #expect(throws: ConnectorError.self) { try KafkaSettings(.consumer, ["ssl.truststore.location": "/x/trust.jks"]) }
        #expect(error?.hint?.contains("keytool") == true)
        let pem = try KafkaSettings(.consumer, ["ssl.truststore.location": "/x/ca", "ssl.truststore.type": "PEM", "ssl.keystore.location": "/x/c.p12"])
        #expect(pem["ssl.ca.location"] == "/x/ca" && pem["ssl.keystore.location"] == "/x/c.p12")
    }

    @Test func keysWithoutAnEquivalentAreSaid() throws {
        let settings = try KafkaSettings(.consumer, ["interceptor.classes": "x.Y", "max.poll.records": "500", "key.deserializer": "z"])
        #expect(settings.notices.count == 2)
        let _ = try KafkaConsumer(try KafkaSettings(.consumer, ["no.such.key": "1", "bootstrap.servers": "127.0.0.1:1"]))
        let error = #expect(throws: ConnectorError.self) { try KafkaProducer(try KafkaSettings(.producer, ["acks": "perhaps"])) }
        #expect(error?.code == "kafka.config_invalid")
    }

    @Test func loginParserTakesAnything() {
        var random = SeededGenerator(seed: .random(in: 0...UInt64.max))
        print("loginParserTakesAnything: SLUICE_SEED=\(random.seed)")
        let alphabet = Array("ab=\"'\\; \tPlainLoginModule required")
        for _ in 0..<20_000 {
            let text = String((0..<Int.random(in: 0...40, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
            if let login = JAASLogin(text) { #expect(!login.module.isEmpty) }
        }
    }
}
