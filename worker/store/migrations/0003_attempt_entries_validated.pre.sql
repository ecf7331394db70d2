-- In a transaction of its own, since it reads the whole table.
set local lock_timeout = '2s';
set local statement_timeout = '30min';
alter table attempt_entry validate constraint attempt_entry_kind_check;
alter table attempt_entry validate constraint attempt_entry_outcome_check;
