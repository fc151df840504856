import ConnectAPI
import ConnectorsObjectStore
import Glibc

/// Eight files of 128 MiB to S3 at once: what the sink's store makes of the network. Prints MiB a second.
///
///     upload-benchmark sink                   prints its port and takes every upload, until killed
///     upload-benchmark send ENDPOINT KIND     puts the files there, in parts of 25 MiB; KIND: signed (as over http) or unsigned (as over https)
///
/// The sink throws bodies away, so that the sender is what is measured; curl sends the same files to it in turn (bench.py).
let arguments = CommandLine.arguments
switch arguments.dropFirst().first {
case "sink": DiscardingServer().run()
case "send":
    let files = 8, bytes = 128 << 20
    let rate = try await UploadRate.measure(endpoint: arguments[2], files: files, bytes: bytes, signed: arguments.dropFirst(3).first != "unsigned")
    print(rate)
default: print("upload-benchmark: sink or send ENDPOINT signed|unsigned")
}
