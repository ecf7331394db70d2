-- How many items wait, how much money and since when is read from the index of what is pending, without its rows.
-- Made in one transaction: whoever writes items waits for it, two seconds for each million that is pending.
set local lock_timeout = '2s';
set local statement_timeout = '120s';

-- squawk-ignore require-concurrent-index-creation
create index item_waiting on item (organization_id, seq) include (currency, total_minor, approved_at)
    where state = 'pending';
-- squawk-ignore require-concurrent-index-deletion
drop index item_pending;
-- squawk-ignore renaming-object
alter index item_waiting rename to item_pending;
