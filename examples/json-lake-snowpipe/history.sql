-- Gold: the history of every customer (SCD2), from the change log itself: a version begins with its change and ends with the next one. __EVENTS__ is the lake.
with changes as (
    select coalesce(after.id, before.id) as id, after.last_name as last_name, op, source.ts_ms as valid_from, source.lsn as lsn
    from __EVENTS__ where source."table" = 'customers'
)
select id, last_name, valid_from, lead(valid_from) over (partition by id order by lsn) as valid_to, lead(valid_from) over (partition by id order by lsn) is null as is_current
from changes qualify op <> 'd'
