-- Every version of a customer begins when the one before it ends.
select * from (
    select customer_id, effective_from, lag(effective_to) over (partition by customer_id order by effective_from) as before from {{ ref('dim_customers') }}
) versions where before is not null and before <> effective_from
