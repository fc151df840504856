{# Every version of every row (SCD2), from the change log itself: a version begins with the change that made it and ends with the next one, or with the
   row's deletion. A change that leaves the tracked columns as they were makes no version. What a snapshot on a schedule misses, two changes between two
   runs, is in it, and a lost warehouse is made again from the lake.

   Two changes of one transaction have one time: the version between them has no length, and from_lsn and to_lsn order it. #}
{% macro history(table, columns, tracked) %}
    with changes as ({{ changes(table, columns) }}),
    compared as (
        select *, lag(lsn) over (partition by id order by lsn) is null or lag(is_deleted) over (partition by id order by lsn)
            {%- for name in tracked %}
            or {{ name }} is distinct from lag({{ name }}) over (partition by id order by lsn)
            {%- endfor %} as is_new
        from changes
    ),
    versions as (
        select *, lead(changed_ms) over (partition by id order by lsn) as ended_ms, lead(lsn) over (partition by id order by lsn) as to_lsn
        from compared where is_new or is_deleted
    )
    select *, lsn as from_lsn, {{ moment('changed_ms') }} as effective_from, {{ moment('ended_ms') }} as effective_to, to_lsn is null as is_current
    from versions where not is_deleted
{% endmacro %}
