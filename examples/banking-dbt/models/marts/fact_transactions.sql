{# Which changes are in is told by their positions: transactions are not committed in the order of their times, so a highest time would leave some out. #}
{{ config(materialized='incremental', unique_key='transaction_id',
    post_hook="delete from {{ this }} where transaction_id not in (select transaction_id from {{ ref('stg_transactions') }})") }}
select t.transaction_id, t.account_id, a.customer_id, t.txn_type, t.amount, t.related_account_id, t.status, {{ moment('t.changed_ms') }} as changed_at, t.lsn
from {{ ref('stg_transactions') }} t
left join {{ ref('stg_accounts') }} a on a.account_id = t.account_id
{% if is_incremental() %}where not exists (select 1 from {{ this }} loaded where loaded.transaction_id = t.transaction_id and loaded.lsn = t.lsn){% endif %}
