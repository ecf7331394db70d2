-- lock_position: makes workers that read the same partition at once wait for each other; answers what is read already
insert into intake_position as p (topic, partition, next_offset)
select * from unnest($1::text[], $2::integer[], $3::bigint[])
on conflict (topic, partition) do update set changed_at = clock_timestamp()
returning p.topic, p.partition, p.next_offset;

-- advance_position: counts a batch; offsets below the position were counted before
update intake_position p
set next_offset = greatest(p.next_offset, b.next_offset),
    approvals = p.approvals + b.approvals,
    toggles = p.toggles + b.toggles,
    duplicates = p.duplicates + b.duplicates,
    dead_letters = p.dead_letters + b.dead_letters,
    changed_at = clock_timestamp()
from unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
    as b (topic, partition, next_offset, approvals, toggles, duplicates, dead_letters)
where (p.topic, p.partition) = (b.topic, b.partition);

-- accept_items: stores approvals in the order given; answers how many were new
with accepted as (
insert into item (organization_id, reimbursement_id, approved_at, currency, total_minor, content_hash, content, receipts)
select organization_id, reimbursement_id, approved_at, currency, total_minor, sha256(content), content, receipts
from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::bigint[], $6::bytea[], $7::integer[]) with ordinality
    as b (organization_id, reimbursement_id, approved_at, currency, total_minor, content, receipts, position)
order by position
on conflict (organization_id, reimbursement_id) do nothing
returning 1)
select count(*) from accepted;

-- standing_items: the content of items that this transaction has not made, to tell a duplicate from a conflicting copy
select i.organization_id, i.reimbursement_id, i.content_hash
from unnest($1::text[], $2::text[]) as b (organization_id, reimbursement_id)
join item i using (organization_id, reimbursement_id)
where i.xmin <> pg_current_xact_id()::xid;

-- wake_lanes: tells the workers which organisations have something to do, once this transaction commits
select pg_notify('accounting_sync_lane', organization_id)
from (select distinct unnest($1::text[]) as organization_id) o;

-- first_sight_of_toggle: remembers a toggle event for ever; answers no row where it is known
insert into toggle_event (organization_id, event_source, event_id, content_hash)
values ($1, $2, $3, $4)
on conflict do nothing
returning event_id;

-- toggle_hash: the content of a toggle event seen before
select content_hash from toggle_event where (organization_id, event_source, event_id) = ($1, $2, $3);
