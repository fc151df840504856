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

    /// Compose files are read as Compose reads them, as far as that goes without it: YAML, pinned images, files that exist, no secret.
    @Test func composeFilesAreSound() throws {
        try Python.run(
            """
            import glob, os, re, sys
            import yaml
            files = glob.glob(sys.argv[1] + '/examples/*/docker-compose.yml') + [sys.argv[1] + '/docker-compose.yml']
            assert len(files) == 6, files
            for path in files:
                compose = yaml.safe_load(open(path))
                for name, service in compose['services'].items():
                    assert ('image' in service) != ('build' in service), f'{path}: {name}'
                    if 'image' in service:
                        tag = service['image'].rsplit(':', 1)
                        assert len(tag) == 2 and tag[1] != 'latest', f'{path}: {name} is not pinned'
                    for volume in service.get('volumes', []):
                        source = volume.split(':')[0]
                        if source.startswith('$'):
                            continue
                        if source.startswith('.'):
                            assert os.path.exists(os.path.join(os.path.dirname(path), source)), f'{path}: {source} is not there'
                        else:
                            assert source in compose.get('volumes', {}), f'{path}: volume {source}'
                    for wanted in service.get('depends_on', {}):
                        assert wanted in compose['services'], f'{path}: {name} depends on {wanted}'
                    for key, value in (service.get('environment') or {}).items():
                        if re.search('PASSWORD|SECRET|_KEY', key):
                            assert str(value).startswith('${'), f'{path}: {key} is written out'
            """, [Checkout.root])
    }
}
