{# The change log of a table, as the lake or the warehouse holds it: one row a change, in the columns asked for, with

       lsn          the position of the change in PostgreSQL's log: it orders the changes of a row
       changed_ms   when its transaction was committed
       is_deleted   the row was deleted; of its columns only the key counts

   The variable `layout` says in which form: `rows` are rows with __op, __lsn, __source_ts_ms, __deleted (Parquet in DuckDB, RAW tables with a VARIANT
   column DATA in Snowflake); `events` are Debezium's whole events (JSON in DuckDB, BRONZE.EVENTS in Snowflake). The key is the first column. #}
{% macro changes(table, columns) %}{{ return(adapter.dispatch('changes')(table, columns)) }}{% endmacro %}

{% macro duckdb__changes(table, columns) %}
{%- if var('layout') == 'events' %}
    select {% for name, type in columns %}
        cast({{ "coalesce(after ->> '$.id', before ->> '$.id')" if loop.first else "after ->> '$." ~ name ~ "'" }} as {{ type }}) as {{ name }},{% endfor %}
        cast(source ->> '$.lsn' as bigint) as lsn, cast(source ->> '$.ts_ms' as bigint) as changed_ms, op = 'd' as is_deleted
    from read_json('{{ var("lake") }}/bronze/banking_server.public.{{ table }}/**/*.json.gz', format = 'newline_delimited', hive_partitioning = false,
        maximum_object_size = 16777216, columns = {before: 'JSON', after: 'JSON', source: 'JSON', op: 'VARCHAR'})
{%- else %}
    select {% for name, type in columns %}cast({{ name }} as {{ type }}) as {{ name }}, {% endfor %}
        cast(__lsn as bigint) as lsn, cast(__source_ts_ms as bigint) as changed_ms, coalesce(__deleted, 'false') = 'true' as is_deleted
    from read_parquet('{{ var("lake") }}/{{ table }}/**/*.parquet', union_by_name = true, hive_partitioning = false)
{%- endif %}
{% endmacro %}

{% macro snowflake__changes(table, columns) %}
{%- if var('layout') == 'events' %}
    select {% for name, type in columns %}
        {{ "coalesce(data:after:id, data:before:id)" if loop.first else "data:after:" ~ name }}::{{ type }} as {{ name }},{% endfor %}
        data:source:lsn::bigint as lsn, data:source:ts_ms::bigint as changed_ms, data:op::varchar = 'd' as is_deleted
    from BRONZE.EVENTS where data:source:table::varchar = '{{ table }}'
{%- else %}
    select {% for name, type in columns %}data:{{ name }}::{{ type }} as {{ name }}, {% endfor %}
        data:__lsn::bigint as lsn, data:__source_ts_ms::bigint as changed_ms, coalesce(data:__deleted::varchar, 'false') = 'true' as is_deleted
    from RAW.{{ table | upper }}
{%- endif %}
{% endmacro %}

{# Milliseconds since 1970 as a timestamp, in UTC. #}
{% macro moment(milliseconds) %}{{ return(adapter.dispatch('moment')(milliseconds)) }}{% endmacro %}
{% macro duckdb__moment(milliseconds) %}epoch_ms({{ milliseconds }}){% endmacro %}
{% macro snowflake__moment(milliseconds) %}to_timestamp_ntz({{ milliseconds }}, 3){% endmacro %}
