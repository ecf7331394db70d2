set local lock_timeout = '2s';
set local statement_timeout = '30s';

-- Since when an item has been in doubt without a break, however often it was sent again meanwhile: each try has a
-- `claimed_at` of its own. Null for what came into doubt before: that counts from its last claim, as it did.
alter table item add column doubt_since timestamptz;
