-- A snapshot shows what was there when dbt ran: every version in it is one of the history's.
select 'customers' as mart, s.customer_id as key from {{ ref('customers_snapshot') }} s
where not exists (select 1 from {{ ref('dim_customers') }} h where h.customer_id = s.customer_id and h.first_name = s.first_name
    and h.last_name = s.last_name and h.email = s.email)
union all
select 'accounts', s.account_id from {{ ref('accounts_snapshot') }} s
where not exists (select 1 from {{ ref('dim_accounts') }} h where h.account_id = s.account_id and h.customer_id = s.customer_id
    and h.account_type = s.account_type and h.balance = s.balance)
