-- In a transaction of its own, since it reads the whole table.
set local lock_timeout = '2s';
set local statement_timeout = '30min';
alter table item validate constraint item_organization_id_check;
alter table item validate constraint item_reimbursement_id_check;
alter table item validate constraint item_currency_check;
