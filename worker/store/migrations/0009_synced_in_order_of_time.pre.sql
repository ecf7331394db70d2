-- When something was synced last, what was synced most recently, and how much was: read from an index, however much is
-- pending beside it. Made in one transaction: whoever writes items waits for it, a second for each million that is synced.
set local lock_timeout = '2s';
set local statement_timeout = '120s';

-- squawk-ignore require-concurrent-index-creation
create index item_synced on item (organization_id, changed_at, seq) where state = 'synced';
