-- Every version begins where the one before it ended, or later where the row was deleted in between; at one time there is one version.
{% for table, key in [('dim_customers', 'customer_id'), ('dim_accounts', 'account_id')] %}
select '{{ table }}' as mart, key, from_lsn from (
    select {{ key }} as key, from_lsn, effective_from, lag(to_lsn) over (partition by {{ key }} order by from_lsn) as before_lsn,
        lag(effective_to) over (partition by {{ key }} order by from_lsn) as before_time, row_number() over (partition by {{ key }} order by from_lsn) as place
    from {{ ref(table) }}
) versions where place > 1 and (before_lsn is null or before_lsn > from_lsn or before_time > effective_from)
{% if not loop.last %}union all{% endif %}
{% endfor %}
