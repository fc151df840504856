import ConnectAPI
import Glibc

/// Where Google credentials come from: `gcs.credentials.*`, and with `gcs.credentials.default=true` Google's order for Application Default
/// Credentials.
///
///     GOOGLE_APPLICATION_CREDENTIALS ─▶ ~/.config/gcloud/application_default_credentials.json ─▶ metadata server
///
/// With `STORAGE_EMULATOR_HOST` set, requests go to the emulator and carry none, as in Google's libraries.
struct GoogleCredentialChain: Sendable {
    var path: String?
    var json: Secret?
    var usesDefault = false
    /// Replaced in tests.
    var environment: @Sendable (String) -> String? = { name in getenv(name).map { String(cString: $0) } }

    private func nonEmpty(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }

    /// `http://127.0.0.1:9023` as Python's library wants it, or `127.0.0.1:9023` as Go's does.
    var emulator: String? { nonEmpty("STORAGE_EMULATOR_HOST").map { $0.contains("://") ? $0 : "http://\($0)" } }

    func resolve() throws -> GoogleCredentials {
        if let path, !path.isEmpty { return try read(path, "The credentials file \(path) (gcs.credentials.path)") }
        if let json { return try GoogleCredentials(json: Array(json.value.utf8), place: "gcs.credentials.json") }
        guard usesDefault else { return .anonymous }
        if let path = nonEmpty("GOOGLE_APPLICATION_CREDENTIALS") {
            return try read(path, "The credentials file \(path) (GOOGLE_APPLICATION_CREDENTIALS)")
        }
        let directory = nonEmpty("CLOUDSDK_CONFIG") ?? (nonEmpty("HOME") ?? "/root") + "/.config/gcloud"
        let path = directory + "/application_default_credentials.json"
        if access(path, F_OK) == 0 { return try read(path, "The credentials file \(path)") }
        return .metadataServer(host: nonEmpty("GCE_METADATA_HOST") ?? "metadata.google.internal")
    }

    private func read(_ path: String, _ place: String) throws -> GoogleCredentials {
        guard let bytes = SmallFile.read(path, limit: 1 << 20) else {
            throw ConnectorError(
                "gcs.credentials_missing", .stop, "\(place) cannot be read: \(String(cString: strerror(errno)))",
                hint: "Correct the path, or let the user the worker runs as read the file")
        }
        return try GoogleCredentials(json: bytes, place: place)
    }
}
