"""The lake, as the examples' scripts look at it.

    lake.py download BUCKET DIR          every object of the bucket of $S3_ENDPOINT into DIR
    lake.py equals DIR TABLE COLUMNS     the newest image of every row, deleted ones left out, equals the table in PostgreSQL
    lake.py listing DIR                  the objects' names with dates, times and offsets blanked, each once"""
import glob, os, re, subprocess, sys


def download(bucket, directory):
    import boto3
    client = boto3.client("s3", endpoint_url=os.environ["S3_ENDPOINT"], region_name=os.environ["AWS_REGION"])
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            path = os.path.join(directory, item["Key"])
            if not os.path.exists(path):
                os.makedirs(os.path.dirname(path), exist_ok=True)
                client.download_file(bucket, item["Key"], path)


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
    names = set()
    for path in glob.glob(f"{directory}/**/*", recursive=True):
        if os.path.isfile(path):
            name = os.path.relpath(path, directory)
            names.add(re.sub(r"\d{6,}", "#", re.sub(r"(-|_)\d+\.parquet$", r"\1#.parquet", re.sub(r"\d{4}-\d{2}-\d{2}", "#", name))))
    for name in sorted(names):
        print(name)


{"download": download, "equals": equals, "listing": listing}[sys.argv[1]](*sys.argv[2:])
