import Foundation
import TestSupport
import Testing

/// The examples, each from an empty directory to its final listing.
@Suite(.serialized) struct ExampleTests {
    @Test(arguments: ["banking-s3", "banking-minio-fr", "banking-snowflake", "json-lake-snowpipe", "finance-gcs"]) func runsToItsListing(_ name: String)
        async throws
    {
        try await withTemporaryDirectory { directory in
            let output = try Subprocess.run(
                Checkout.root + "/examples/\(name)/run.sh", [], environment: ["SLUICE_BINARY": SluiceWorker.binary, "WORK": directory + "/work"])
            print(output)
            #expect(output.contains("the objects are those of expected.txt"))
        }
    }
}
