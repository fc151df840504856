import ConnectAPI
import Synchronization
import Transport

/// Thrown by a worker that cannot answer a request itself: another one can.
struct RequestForward: Error {
    /// `host:port` as the other worker is advertised.
    let workerID: String
}

/// Sends requests on to the worker that can answer them, as Kafka Connect's workers do.
///
/// Workers of a cluster speak the scheme they advertise, all the same one. Over https the other must be signed by somebody in the truststore of
/// `listeners.https.ssl.*` (the system's authorities without one), and is shown this worker's own certificate.
///
/// A request may be sent on twice: with `forward=true` by the worker it came to, with `forward=false` by the next. The answer's status and body
/// are handed through.
final class RequestForwarder: Sendable {
    private let transport = HTTPTransport()
    private let pool = BlockingPool(threads: 4)
    private let scheme: Listener.Scheme
    private let tls: HTTPTLS

    /// Throws `worker.config`.
    init(_ config: WorkerConfig) throws {
        scheme = config.advertisedListener.scheme
        var tls = HTTPTLS()
        if scheme == .https {
            let own = try ServerTLS(config.values, prefix: "listeners.https.")
            tls.authorities = own.trust
            tls.certificates = own.certificates
            tls.key = own.key
            tls.keyPassword = own.keyPassword
            tls.verifiesHost = own.verifiesHost
        }
        self.tls = tls
    }

    func forward(_ request: HTTPRequest, to target: RequestForward) async throws -> HTTPResponse {
        let hop: String
        switch request.parameters("forward").first?.lowercased() {
        case nil: hop = "true"
        case "true": hop = "false"
        default:
            throw HerderError(409, "Cannot complete request because of a conflicting operation (e.g. worker rebalance)")
        }
        var query = request.rawQuery.split(separator: "&").filter { !$0.hasPrefix("forward=") }.map(String.init)
        query.append("forward=\(hop)")
        var sent = Transport.HTTPRequest(
            method: request.method, url: "\(scheme.rawValue)://\(target.workerID)\(request.rawPath)?\(query.joined(separator: "&"))")
        for header in request.headers where ["content-type", "accept", "authorization"].contains(header.name) {
            sent.headers.append((header.name, header.value))
        }
        sent.body = request.body
        sent.timeoutMilliseconds = 90_000
        sent.tls = tls
        do {
            let answer = try await pool.run { [transport, sent] cancel in try transport.perform(sent, cancel: cancel) }
            let headers = answer.headers.filter { ["content-type", "location"].contains($0.key) }.map {
                (name: $0.key == "location" ? "Location" : "Content-Type", value: $0.value)
            }
            return HTTPResponse(answer.status, answer.body, headers: headers)
        } catch let error as TransportError {
            throw HerderError(500, "IO Error trying to forward REST request: \(error.description)")
        } catch let error as ConnectorError {
            throw HerderError(500, "IO Error trying to forward REST request: \(error.description)")
        }
    }
}
