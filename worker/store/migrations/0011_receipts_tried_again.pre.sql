set local lock_timeout = '2s';
set local statement_timeout = '120s';

-- What was given up can be tried again, though never while a request may still be applied. The code before this did not
-- keep until when that is; a day is longer than any request lives. Before the column, whose lock keeps everybody out.
update receipt set due_at = changed_at + interval '1 day' where state = 'given_up' and reason_code = 'unknown';

-- Tries before a person had it tried again: `attempts` is also the fence of a try, and goes on.
alter table receipt add column attempts_before integer not null default 0;

grant update on receipt to accounting_sync_organization;
