{# The newest image of every row, deleted rows left out. #}
{% macro newest(table, columns) %}
    with changes as ({{ changes(table, columns) }}),
    ranked as (select *, row_number() over (partition by id order by lsn desc) as place from changes)
    select * from ranked where place = 1 and not is_deleted
{% endmacro %}
