{# The change log of a table: files of the lake in DuckDB, a table with one VARIANT column DATA in Snowflake. #}
{% macro raw(table) %}{{ return(adapter.dispatch('raw')(table)) }}{% endmacro %}
{% macro duckdb__raw(table) %}read_parquet('{{ var("lake") }}/{{ table }}/**/*.parquet', union_by_name = true, hive_partitioning = false){% endmacro %}
{% macro snowflake__raw(table) %}RAW.{{ table | upper }}{% endmacro %}

{# One member of a row of the change log. #}
{% macro member(name, type) %}{{ return(adapter.dispatch('member')(name, type)) }}{% endmacro %}
{% macro duckdb__member(name, type) %}cast({{ name }} as {{ type }}){% endmacro %}
{% macro snowflake__member(name, type) %}data:{{ name }}::{{ type }}{% endmacro %}

{# The newest image of every row, deleted rows left out. #}
{% macro newest(table, columns) %}
with changes as (
    select
        {% for name, type in columns %}{{ member(name, type) }} as {{ name }},
        {% endfor %}{{ member('__lsn', 'bigint') }} as lsn,
        {{ member('__source_ts_ms', 'bigint') }} as changed_ms,
        coalesce({{ member('__deleted', 'varchar') }}, 'false') = 'true' as is_deleted
    from {{ raw(table) }}
),
ranked as (select *, row_number() over (partition by id order by lsn desc) as rank from changes)
select * from ranked where rank = 1 and not is_deleted
{% endmacro %}
