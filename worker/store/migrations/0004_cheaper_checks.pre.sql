-- The same rules in words that cost PostgreSQL a tenth: a bounded repetition took a quarter of storing an approval.
set local lock_timeout = '2s';
set local statement_timeout = '30s';

-- 0005 validates them.
alter table item
    -- squawk-ignore ban-drop-constraint
    drop constraint item_organization_id_check,
    -- squawk-ignore ban-drop-constraint
    drop constraint item_reimbursement_id_check,
    -- squawk-ignore ban-drop-constraint
    drop constraint item_currency_check,
    add constraint item_organization_id_check check (
        organization_id !~ '[^A-Za-z0-9._:-]' and length(organization_id) between 1 and 64
    ) not valid,
    add constraint item_reimbursement_id_check check (
        reimbursement_id !~ '[^A-Za-z0-9._:-]' and length(reimbursement_id) between 1 and 64
    ) not valid,
    add constraint item_currency_check check (currency !~ '[^A-Z]' and length(currency) = 3) not valid;
