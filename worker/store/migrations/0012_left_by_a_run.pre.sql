-- What a sync run left to a person is listed from an index of its own: an organisation may have rejected far more in all.
-- Only what was rejected or is in doubt has an entry, so that what is posted pays nothing. Made in one transaction: whoever
-- writes items waits for it, as long as it takes to read the table once.
set local lock_timeout = '2s';
set local statement_timeout = '120s';

-- squawk-ignore require-concurrent-index-creation
create index item_left_by_run on item (organization_id, run_id, seq)
    where run_id is not null and state in ('rejected', 'unknown');
