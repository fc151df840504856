package import ConnectAPI
import CCurl
import Glibc
import Synchronization

/// HTTP/1.1 over libcurl: bytes out, bytes in. Signing, retries and redirects are the caller's business.
///
/// Handles keep their connections and are used again. Calls block: make them on a `BlockingPool`.
package final class HTTPTransport: Sendable {
    private struct Handle: @unchecked Sendable {  // a handle is used by one call at a time: it is taken out of `idle` meanwhile
        let easy: OpaquePointer
    }
    private let idle = Mutex<[Handle]>([])

    /// The value that keeps libcurl from sending a header of its own, such as `Expect`.
    package static let absent = "\u{0}"

    private static let started: Bool = sluice_curl_global_init() == CURLE_OK

    /// The certificates trusted, a PEM file; nil: the system's.
    private let trust: String?
    private let proxy: HTTPProxy?

    /// `trust` names a PEM file of the certificates to trust instead of the system's, for requests that bring none; without it SSL_CERT_FILE is asked,
    /// as OpenSSL does. `proxy` is for requests that name none.
    package init(trust: String? = nil, proxy: HTTPProxy? = nil) {
        precondition(Self.started, "libcurl does not start")
        self.proxy = proxy
        self.trust = trust ?? getenv("SSL_CERT_FILE").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    deinit { for handle in idle.withLock({ $0 }) { curl_easy_cleanup(UnsafeMutableRawPointer(handle.easy)) } }

    /// What the callbacks of one call write to.
    private final class Exchange {
        var headers: [String: String] = [:]
        var body: [UInt8] = []
        let cancel: CancelFlag
        let limit: Int
        /// libcurl's words for what went wrong, with a zero at the end.
        let problem = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

        init(_ cancel: CancelFlag, limit: Int) {
            self.cancel = cancel
            self.limit = limit
            problem[0] = 0
        }

        deinit { problem.deallocate() }
    }

    /// Sends a request; ends early when `cancel` is set. An answer of more than `limit` bytes is an error.
    package func perform(_ request: HTTPRequest, cancel: CancelFlag, limit: Int = 64 << 20) throws -> HTTPResponse {
        let handle: Handle
        if let kept = idle.withLock({ $0.popLast() }) {
            handle = kept
        } else {
            guard let made = curl_easy_init() else { throw TransportError(description: "libcurl has no memory", isUnreachable: false) }
            handle = Handle(easy: OpaquePointer(made))
        }
        let easy = UnsafeMutableRawPointer(handle.easy)
        defer {
            _ = sluice_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, nil)
            idle.withLock { $0.append(handle) }
        }
        curl_easy_reset(easy)

        let exchange = Exchange(cancel, limit: limit)
        // Retained until libcurl is done with it: an object's last use in Swift may come earlier.
        let context = Unmanaged.passRetained(exchange)
        defer { context.release() }
        setUp(easy, request, context.toOpaque())
        _ = sluice_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, exchange.problem)

        var list: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(list) }
        for header in request.headers {
            // `Name:` takes a header of libcurl's own out, `Name;` sends one without a value.
            let line = header.value == Self.absent ? "\(header.name):" : header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)"
            list = curl_slist_append(list, line)
        }
        _ = sluice_curl_set_headers(easy, list)

        let code = request.body.withUnsafeBytes { body in
            if request.method != "GET", request.method != "HEAD", request.method != "DELETE" || !request.body.isEmpty {
                _ = sluice_curl_set_long(easy, CURLOPT_POST, 1)
                _ = sluice_curl_set_empty_body(easy)
                if let bytes = body.baseAddress { _ = sluice_curl_set_pointer(easy, CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: bytes)) }
                _ = sluice_curl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
            }
            if request.method == "HEAD" {
                _ = sluice_curl_set_long(easy, CURLOPT_NOBODY, 1)
            } else {
                _ = sluice_curl_set_string(easy, CURLOPT_CUSTOMREQUEST, request.method)
            }
            return curl_easy_perform(easy)
        }
        if cancel.isCancelled { throw CancellationError() }
        if code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_ISSUER_ERROR {
            throw certificateError(request, String(cString: exchange.problem))
        }
        guard code == CURLE_OK else {
            let unreachable = code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY
            throw TransportError(description: String(cString: curl_easy_strerror(code)), isUnreachable: unreachable)
        }
        var status = 0
        _ = sluice_curl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
        return HTTPResponse(status: status, headers: exchange.headers, body: exchange.body)
    }

    /// Another attempt would end the same way, whatever was asked.
    private func certificateError(_ request: HTTPRequest, _ problem: String) -> ConnectorError {
        let server = request.url.split(separator: "/", maxSplits: 2).dropFirst().first.map { $0.split(separator: "@").last ?? $0 } ?? ""
        return ConnectorError(
            "transport.certificate", .stop,
            "The certificate of \(server) is not trusted, by \(request.tls.authorities != nil ? "the certificates given" : trust ?? "the system's certificates"): \(problem)",
            hint: "Name a PEM file with the certificate of the CA that signed it in SSL_CERT_FILE; for S3 also in ssl.truststore.location or AWS_CA_BUNDLE, "
                + "for a schema registry in schema.registry.ssl.truststore.location")
    }

    private func setUp(_ easy: UnsafeMutableRawPointer, _ request: HTTPRequest, _ context: UnsafeMutableRawPointer) {
        _ = sluice_curl_set_string(easy, CURLOPT_URL, request.url)
        _ = sluice_curl_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
        _ = sluice_curl_set_string(easy, CURLOPT_USERAGENT, "sluice")
        if let trust, request.tls.authorities == nil {
            _ = sluice_curl_set_string(easy, CURLOPT_CAINFO, trust)
            // Not beside the system's, but instead of them.
            _ = sluice_curl_set_string(easy, CURLOPT_CAPATH, nil)
        }
        if let proxy = request.proxy ?? proxy {
            _ = sluice_curl_set_string(easy, CURLOPT_PROXY, proxy.url)
            if let user = proxy.user { _ = sluice_curl_set_string(easy, CURLOPT_PROXYUSERNAME, user) }
            if let password = proxy.password { _ = sluice_curl_set_string(easy, CURLOPT_PROXYPASSWORD, password.value) }
            // A cloud's credentials for this machine come from its own network.
            let near =
                ["169.254.0.0/16", "metadata.google.internal"]
                + ["no_proxy", "NO_PROXY"].compactMap { (name: String) in getenv(name).map { String(cString: $0) } }
            _ = sluice_curl_set_string(easy, CURLOPT_NOPROXY, (near + proxy.bypass).joined(separator: ","))
        }
        for (option, text) in [
            (CURLOPT_CAINFO_BLOB, request.tls.authorities), (CURLOPT_SSLCERT_BLOB, request.tls.certificates), (CURLOPT_SSLKEY_BLOB, request.tls.key?.value),
        ] {
            // Copied by libcurl.
            text?.withCString { _ = sluice_curl_set_blob(easy, option, $0, strlen($0)) }
        }
        if let password = request.tls.keyPassword { _ = sluice_curl_set_string(easy, CURLOPT_KEYPASSWD, password.value) }
        for (option, value) in [
            (CURLOPT_SSL_VERIFYHOST, request.tls.verifiesHost ? 2 : 0), (CURLOPT_PATH_AS_IS, 1), (CURLOPT_NOSIGNAL, 1),
            (CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)), (CURLOPT_TCP_NODELAY, 1),
            (CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeoutMilliseconds), (CURLOPT_LOW_SPEED_LIMIT, request.stallSeconds == nil ? 0 : 1024),
            (CURLOPT_LOW_SPEED_TIME, request.stallSeconds ?? 0),
            (CURLOPT_TIMEOUT_MS, request.timeoutMilliseconds ?? 60_000 + request.body.count / 64), (CURLOPT_EXPECT_100_TIMEOUT_MS, 1000),
            (CURLOPT_NOPROGRESS, 0),
            // A large body in fewer pieces than libcurl's 64 KiB.
            (CURLOPT_UPLOAD_BUFFERSIZE, request.body.count > 1 << 20 ? 256 << 10 : 64 << 10),
        ] {
            _ = sluice_curl_set_long(easy, option, value)
        }
        _ = sluice_curl_set_pointer(easy, CURLOPT_WRITEDATA, context)
        _ = sluice_curl_set_pointer(easy, CURLOPT_HEADERDATA, context)
        _ = sluice_curl_set_pointer(easy, CURLOPT_XFERINFODATA, context)
        _ = sluice_curl_set_io(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            let exchange = Unmanaged<Exchange>.fromOpaque(context!).takeUnretainedValue()
            guard exchange.body.count + size * count <= exchange.limit else { return 0 }
            exchange.body.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: size * count))
            return size * count
        }
        _ = sluice_curl_set_io(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            let exchange = Unmanaged<Exchange>.fromOpaque(context!).takeUnretainedValue()
            let line = String(decoding: UnsafeRawBufferPointer(start: bytes, count: size * count), as: UTF8.self)
            // A status line begins the headers of the final answer after a 100.
            if line.hasPrefix("HTTP/") {
                exchange.headers.removeAll()
            } else if let colon = line.firstIndex(of: ":") {
                let value = line[line.index(after: colon)...].trimmingSpaces()
                exchange.headers[line[..<colon].lowercased(), default: ""].join(value)
            }
            return size * count
        }
        _ = sluice_curl_set_progress(easy) { context, _, _, _, _ in
            Unmanaged<Exchange>.fromOpaque(context!).takeUnretainedValue().cancel.isCancelled ? 1 : 0
        }
    }
}

extension String {
    /// Repeated headers are one list, as RFC 9110 5.3 allows.
    fileprivate mutating func join(_ value: String) { self = isEmpty ? value : "\(self), \(value)" }
}
