"""The lake, as the examples' scripts look at it.

    lake.py download BUCKET DIR          every object of the bucket, of $STORAGE_EMULATOR_HOST (GCS) or $S3_ENDPOINT, into DIR
    lake.py equals DIR TABLE COLUMNS     the newest image of every row, deleted ones left out, equals the table in PostgreSQL
    lake.py listing DIR                  the objects' names with every number blanked, each once"""
import glob, json, os, re, subprocess, sys, urllib.parse, urllib.request


def objects_of_gcs(bucket):
    base = f"{os.environ['STORAGE_EMULATOR_HOST']}/storage/v1/b/{bucket}/o"
    token = ""
    while token is not None:
        page = json.load(urllib.request.urlopen(f"{base}?pageToken={urllib.parse.quote(token)}"))
        for item in page.get("items", []):
            yield item["name"], lambda path, name=item["name"]: urllib.request.urlretrieve(f"{base}/{urllib.parse.quote(name, safe='')}?alt=media", path)
        token = page.get("nextPageToken")


def objects_of_s3(bucket):
    import boto3
    client = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], region_name=os.environ["AWS_REGION"])
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            yield item["Key"], lambda path, name=item["Key"]: client.download_file(bucket, name, path)


def download(bucket, directory):
    for name, fetch in (objects_of_gcs if "STORAGE_EMULATOR_HOST" in os.environ else objects_of_s3)(bucket):
        path = os.path.join(directory, name)
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            fetch(path + ".part")
            os.rename(path + ".part", path)


def equals(directory, table, columns):
    import duckdb
    names = columns.split(",")
    files = f"{directory}/{table}/**/*.parquet"
    if not glob.glob(files, recursive=True):
        sys.exit(f"no file of {table} yet")
    newest = f"""select * from read_parquet('{files}', union_by_name = true, hive_partitioning = false)
                 qualify row_number() over (partition by id order by __lsn desc nulls last) = 1"""
    shown = ", ".join(f"{n}::varchar" for n in names)
    ours = duckdb.sql(f"select {shown} from ({newest}) where coalesce(__deleted, 'false') <> 'true' order by id").fetchall()
    text = subprocess.run(["psql", "-qAtX", "-F", "\t", "-c", f"select {', '.join(names)} from {table} order by id"], check=True, capture_output=True, text=True).stdout
    theirs = [tuple(value or None for value in line.split("\t")) for line in text.splitlines()]
    if ours != theirs:
        different = [pair for pair in zip(ours, theirs) if pair[0] != pair[1]]
        sys.exit(f"{table}: {len(ours)} rows in the lake, {len(theirs)} in the database; first difference {different[:1]}")
    print(f"{table}: {len(ours)} rows are equal")


def listing(directory):
    paths = [path for path in glob.glob(f"{directory}/**/*", recursive=True) if os.path.isfile(path)]
    print("\n".join(sorted({re.sub(r"\d+", "#", os.path.relpath(path, directory)) for path in paths})))


{"download": download, "equals": equals, "listing": listing}[sys.argv[1]](*sys.argv[2:])
