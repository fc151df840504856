"""The lake, as the examples' scripts look at it.

    lake.py download BUCKET DIR          every object of the bucket, of $STORAGE_EMULATOR_HOST (GCS) or $S3_ENDPOINT, into DIR
    lake.py equals DIR TABLE LAYOUT      the newest image of every row, deleted ones left out, equals the table in PostgreSQL; LAYOUT is rows or events
    lake.py listing DIR                  the objects' names with their numbers blanked, each once; of a date or time, digit by digit
    lake.py at_most DIR ROWS             no Parquet file has more rows"""
import decimal, glob, json, os, re, sys, urllib.parse, urllib.request

import database


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


def rows_of(directory, table):
    """Rows with __lsn and __deleted (Parquet): the newest image of every row, deleted ones left out."""
    files = f"{directory}/{table}/**/*.parquet"
    return f"""select * replace (epoch_us(created_at) as created_at) from read_parquet('{files}', union_by_name = true, hive_partitioning = false)
        qualify row_number() over (partition by id order by __lsn desc nulls last) = 1 and coalesce(__deleted, 'false') <> 'true'""", files


def events_of(directory, table):
    """Debezium's whole events (JSON): the same."""
    files = f"{directory}/bronze/banking_server.public.{table}/**/*.json.gz"
    return f"""select after from read_json('{files}', format = 'newline_delimited', maximum_object_size = 16777216, hive_partitioning = false,
            columns = {{before: 'JSON', after: 'JSON', source: 'JSON', op: 'VARCHAR'}})
        qualify row_number() over (partition by coalesce(after ->> '$.id', before ->> '$.id') order by cast(source ->> '$.lsn' as bigint) desc nulls last) = 1
            and op <> 'd'""", files


def equals(directory, table, layout):
    import duckdb
    sql, files = (events_of if layout == "events" else rows_of)(directory, table)
    if not glob.glob(files, recursive=True):
        sys.exit(f"no file of {table} yet")
    found = duckdb.sql(sql)
    if layout == "events":
        newest = [json.loads(row[0], parse_float=decimal.Decimal) for row in found.fetchall()]
    else:
        newest = [dict(zip(found.columns, row)) for row in found.fetchall()]
    print(f"{table}: {database.equals(table, newest)} rows are equal")


def listing(directory):
    paths = [path for path in glob.glob(f"{directory}/**/*", recursive=True) if os.path.isfile(path)]
    blank = lambda number: "#" * (len(number[0]) if len(number[0]) >= 6 else 1)
    print("\n".join(sorted({re.sub(r"\d+", blank, os.path.relpath(path, directory)) for path in paths})))


def at_most(directory, rows):
    import duckdb
    largest, files = duckdb.sql(f"select max(num_rows), count(*) from parquet_file_metadata('{directory}/**/*.parquet')").fetchall()[0]
    if not files or largest > int(rows):
        sys.exit(f"{files} files, the largest of {largest} rows")


{"download": download, "equals": equals, "listing": listing, "at_most": at_most}[sys.argv[1]](*sys.argv[2:])
