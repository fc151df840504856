-- The current versions are the rows that are there, each once.
{% for mart, staging, key in [('dim_customers', 'stg_customers', 'customer_id'), ('dim_accounts', 'stg_accounts', 'account_id')] %}
select '{{ mart }}' as mart, {{ key }} as key from (
    select {{ key }}, 1 as current_versions, 0 as present from {{ ref(mart) }} where is_current
    union all
    select {{ key }}, 0, 1 from {{ ref(staging) }}
) both_sides group by {{ key }} having sum(current_versions) <> 1 or sum(present) <> 1
{% if not loop.last %}union all{% endif %}
{% endfor %}
