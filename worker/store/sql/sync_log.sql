-- open_chain: makes sure that the organisation has a chain to append to
insert into sync_log_head (organization_id) values ($1) on conflict do nothing;

-- lock_head: the end of the chain; appends to it wait for each other
select entry_no, at, hash from sync_log_head where organization_id = $1 for update;

-- clock: PostgreSQL's time, read after the lock is held
select clock_timestamp();

-- append: one entry
insert into sync_log
    (organization_id, entry_no, at, actor, actor_role, source, connector, change, new_state, reason, detail, previous_hash, hash)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13);

-- move_head: the new end of the chain
update sync_log_head set entry_no = $2, at = $3, hash = $4 where organization_id = $1;

-- chain: one organisation's entries in their order, each with where the chain should end; one row of nulls where there are none
select l.organization_id, l.entry_no, l.at, l.actor, l.actor_role, l.source, l.connector, l.change, l.new_state, l.reason, l.detail,
       l.previous_hash, l.hash, h.entry_no as end_no, h.hash as end_hash
from (select) as always
left join sync_log_head h on h.organization_id = $1
left join sync_log l on l.organization_id = $1
order by l.entry_no;

-- chain_part: some entries after a given one, and no further than another
select organization_id, entry_no, at, actor, actor_role, source, connector, change, new_state, reason, detail,
       previous_hash, hash
from sync_log
where organization_id = $1 and entry_no > $2 and entry_no <= $3
order by entry_no
limit $4;

-- link: the hash of one entry
select hash from sync_log where organization_id = $1 and entry_no = $2;

-- chain_end: where the chain should end
select entry_no, hash from sync_log_head where organization_id = $1;

-- logged_organizations: everyone with a log, with a log's head, or set up and so in need of one
select organization_id from sync_log_head
union select distinct organization_id from sync_log
union select organization_id from organization
order by 1;

-- newest_of: the newest entry of some kinds of change of one connector
select organization_id, entry_no, at, actor, actor_role, source, connector, change, new_state, reason, detail
from sync_log
where organization_id = $1 and connector = $2 and change = any($3::text[])
order by entry_no desc
limit 1;

-- newest_entries: newest first, below a given number; each further condition is left out where it is null
select organization_id, entry_no, at, actor, actor_role, source, connector, change, new_state, reason, detail
from sync_log
where organization_id = $1 and entry_no < $2
  and ($3::text[] is null or change = any($3)) and ($4::text is null or actor = $4)
  and ($5::timestamptz is null or at >= $5) and ($6::timestamptz is null or at < $6)
order by entry_no desc
limit $7;

-- oldest_entries: the other way round, above a given number
select organization_id, entry_no, at, actor, actor_role, source, connector, change, new_state, reason, detail
from sync_log
where organization_id = $1 and entry_no > $2
  and ($3::text[] is null or change = any($3)) and ($4::text is null or actor = $4)
  and ($5::timestamptz is null or at >= $5) and ($6::timestamptz is null or at < $6)
order by entry_no
limit $7;

-- count_entries: how many that are, and the number after the newest
select count(*) as count, coalesce(max(entry_no), 0) + 1 as below
from sync_log
where organization_id = $1
  and ($2::text[] is null or change = any($2)) and ($3::text is null or actor = $3)
  and ($4::timestamptz is null or at >= $4) and ($5::timestamptz is null or at < $5);
