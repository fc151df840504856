import CZstd

/// One zstd frame at level 3, as zstd-jni's `ZstdOutputStream` writes.
final class ZstdStream: CompressionStream {
    private let context: OpaquePointer
    /// Of a level 3 stream: window, tables and buffers.
    let heldBytes = 5 << 20

    init() {
        guard let context = ZSTD_createCCtx() else { preconditionFailure("zstd has no memory") }
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 3)
        self.context = context
    }

    deinit { ZSTD_freeCCtx(context) }

    func compress(_ input: UnsafeRawBufferPointer, last: Bool, into out: inout [UInt8]) {
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        let chunk = ZSTD_CStreamOutSize()
        while true {
            var left = 0
            out += [UInt8](unsafeUninitializedCapacity: chunk) { target, count in
                var sink = ZSTD_outBuffer(dst: target.baseAddress, size: chunk, pos: 0)
                left = ZSTD_compressStream2(context, &sink, &source, last ? ZSTD_e_end : ZSTD_e_continue)
                precondition(ZSTD_isError(left) == 0, "zstd does not compress a stream")
                count = sink.pos
            }
            if last ? left == 0 : source.pos == source.size { return }
        }
    }
}
