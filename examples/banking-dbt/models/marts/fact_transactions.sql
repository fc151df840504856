{{ config(materialized='incremental', unique_key='transaction_id') }}
select t.transaction_id, t.account_id, a.customer_id, t.txn_type, t.amount, t.related_account_id, t.status, t.changed_ms
from {{ ref('stg_transactions') }} t
left join {{ ref('stg_accounts') }} a on a.account_id = t.account_id
{% if is_incremental() %}where t.changed_ms >= (select coalesce(max(changed_ms), 0) from {{ this }}){% endif %}
