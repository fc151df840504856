import ConnectAPI

/// The files of ~/.aws: profiles by name.
struct Profiles: Sendable {
    let name: String
    let credentialsFile: String
    let configFile: String

    /// `value` reads the environment.
    init(value: (String) -> String?) {
        let home = value("HOME") ?? "/root"
        name = value("AWS_PROFILE") ?? "default"
        credentialsFile = value("AWS_SHARED_CREDENTIALS_FILE") ?? home + "/.aws/credentials"
        configFile = value("AWS_CONFIG_FILE") ?? home + "/.aws/config"
    }

    /// What both files say of a profile; the credentials file wins.
    func settings(_ profile: String) -> [String: String] {
        func read(_ file: String, _ section: String) -> [String: String] {
            SmallFile.read(file, limit: 1 << 20).map { ProfileFile.section(section, in: String(decoding: $0, as: UTF8.self)) } ?? [:]
        }
        let config = read(configFile, profile == "default" ? "default" : "profile " + profile)
        return config.merging(read(credentialsFile, profile)) { $1 }
    }
}

/// The INI dialect of ~/.aws.
enum ProfileFile {
    static func section(_ name: String, in text: String) -> [String: String] {
        var found: [String: String] = [:], inside = false
        for line in text.split(whereSeparator: \.isNewline) {
            let trimmed = line.trimmingSpaces()
            if trimmed.isEmpty || trimmed.hasPrefix("#") || trimmed.hasPrefix(";") { continue }
            if trimmed.hasPrefix("[") {
                inside = trimmed.hasSuffix("]") && trimmed.dropFirst().dropLast().trimmingSpaces() == name
            } else if inside, !line.hasPrefix(" "), !line.hasPrefix("\t"), let equals = trimmed.firstIndex(of: "=") {
                found[trimmed[..<equals].trimmingSpaces()] = trimmed[trimmed.index(after: equals)...].trimmingSpaces()
            }
        }
        return found
    }
}
