-- Bronze by Snowpipe: every file of the lake becomes rows of one VARIANT column, seconds after it was written (event notifications of the bucket).
create schema if not exists bronze;
create file format if not exists bronze.json_lines type = json compression = auto;
create stage if not exists bronze.lake url = 's3://<bucket>/bronze/' storage_integration = <integration> file_format = bronze.json_lines;
create table if not exists bronze.events (data variant, file text, row_number int, loaded_at timestamp_ntz default sysdate());
create pipe if not exists bronze.events_pipe auto_ingest = true as
    copy into bronze.events (data, file, row_number)
    from (select $1, metadata$filename, metadata$file_row_number from @bronze.lake);

-- Silver: the newest image of every row. The log position orders changes; deletes are seen.
create or replace view bronze.customers as
    select data:after:id::int as id, data:after:first_name::text as first_name, data:after:last_name::text as last_name, data:after:email::text as email
    from bronze.events where data:source:table = 'customers'
    qualify row_number() over (partition by coalesce(data:after:id, data:before:id) order by data:source:lsn::int desc) = 1 and data:op <> 'd';
