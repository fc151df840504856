import Foundation

/// TLS in front of a plain server of the loopback interface, with a certificate that a CA made for the occasion has signed.
public struct TLSFront: Sendable {
    public let port: Int
    /// The CA's certificate, a PEM file.
    public let authority: String
    private let child: Child

    public var endpoint: String { "https://127.0.0.1:\(port)" }

    /// `directory` takes keys and certificates.
    public init(to upstream: Int, in directory: String) throws {
        try Certificates.make(["server": "/CN=store"], in: directory)
        let server = directory + "/server"
        authority = directory + "/ca.pem"
        port = try freePort()
        child = try Subprocess.start(Python.path, ["-c", Self.script, String(port), String(upstream), server + ".pem", server + ".key"])
        for _ in 0..<200 {
            if let socket = LoopbackSocket.connect(port: port) {
                close(socket)
                return
            }
            usleep(50_000)
        }
        throw Subprocess.Failure(command: "TLS front", status: 1, output: "it does not listen")
    }

    public func stop() {
        child.signal(SIGTERM)
        child.wait()
    }

    /// Ends with the process that started it.
    private static let script = """
        import asyncio, os, ssl, sys
        port, upstream = int(sys.argv[1]), int(sys.argv[2])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        async def pump(reader, writer):
            try:
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
            except OSError: pass
            writer.close()
        async def serve(reader, writer):
            try: inner = await asyncio.open_connection('127.0.0.1', upstream)
            except OSError: return writer.close()
            await asyncio.gather(pump(reader, inner[1]), pump(inner[0], writer))
        async def run():
            parent = os.getppid()
            async with await asyncio.start_server(serve, '127.0.0.1', port, ssl=context):
                while os.getppid() == parent: await asyncio.sleep(0.5)
        asyncio.run(run())
        """
}
