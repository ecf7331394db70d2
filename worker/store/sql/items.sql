-- lock_open_connectors: those that may be claimed for, their flag held until this transaction ends, and the runs under way
select c.organization_id, c.kind, c.title, c.version, c.enabled_mark, c.released_through, r.run_id, r.mark as run_mark
from unnest($1::text[], $2::bigint[]) as b (organization_id, fence)
join connector c on c.organization_id = b.organization_id
join lane l on l.organization_id = c.organization_id and l.fence = b.fence and l.leased_until > clock_timestamp()
left join sync_run r on r.organization_id = c.organization_id and r.finished_at is null
where c.enabled and c.suspended_at is null
for share of c, l;

-- next_pending: each organisation's oldest released items, in two ranges so that a held backlog costs nothing
select p.* from unnest($1::text[], $2::bigint[], $3::bigint[], $4::integer[]) as b (organization_id, released_through, enabled_mark, most)
cross join lateral (
    (select i.organization_id, i.reimbursement_id, i.seq, i.attempt, i.content, i.request_hash from item i
     where i.organization_id = b.organization_id and i.state = 'pending' and i.due_at <= clock_timestamp() and i.seq <= b.released_through
     order by i.seq limit b.most)
    union all
    (select i.organization_id, i.reimbursement_id, i.seq, i.attempt, i.content, i.request_hash from item i
     where i.organization_id = b.organization_id and i.state = 'pending' and i.due_at <= clock_timestamp()
       and i.seq > greatest(b.released_through, b.enabled_mark)
     order by i.seq limit b.most)
    order by seq
    limit b.most) p
order by p.organization_id, p.seq;

-- due_resends: outcomes that sending again resolves, since the ERP refuses a second document with the same reference
select p.* from unnest($1::text[], $2::text[], $3::integer[]) as b (organization_id, connector, most)
cross join lateral (
    select i.organization_id, i.reimbursement_id, i.seq, i.attempt, i.content, i.request_hash from item i
    where i.organization_id = b.organization_id and i.connector = b.connector and i.state = 'unknown' and i.resend_resolves
      and i.due_at <= clock_timestamp()
    order by i.seq
    limit b.most) p
order by p.organization_id, p.seq;

-- resend: back to pending, in the transaction that claims them at once
update item i set state = 'pending', changed_at = clock_timestamp()
from unnest($1::text[], $2::text[]) as b (organization_id, reimbursement_id)
where i.organization_id = b.organization_id and i.reimbursement_id = b.reimbursement_id and i.state = 'unknown';

-- look_up_instead: what would be sent is not what was sent, so these wait for a look-up
update item i set resend_resolves = false, due_at = quarantined_until
from unnest($1::text[], $2::text[]) as b (organization_id, reimbursement_id)
where i.organization_id = b.organization_id and i.reimbursement_id = b.reimbursement_id and i.state = 'unknown';

-- claim: to be committed before the first byte leaves
update item i
set state = 'sending', attempt = i.attempt + 1, connector = b.connector, reference = b.reference, request_hash = b.request_hash,
    claimed_at = clock_timestamp(), claimed_by = $1, fence = b.fence, due_at = 'epoch', changed_at = clock_timestamp(),
    run_id = case when i.seq <= b.run_mark then b.run_id end, request_life = b.request_life, resend_resolves = b.resend_resolves,
    absences = 0, quarantined_until = case when b.in_doubt then i.quarantined_until end, reason = null, reason_code = null,
    document_number = null, document_id = null, document_url = null
from unnest($2::text[], $3::text[], $4::integer[], $5::text[], $6::bytea[], $7::boolean[], $8::bigint[], $9::text[], $10::uuid[],
            $11::bigint[], $12::interval[], $13::boolean[])
    as b (organization_id, reimbursement_id, attempt, reference, request_hash, in_doubt, fence, connector, run_id, run_mark,
          request_life, resend_resolves)
where i.organization_id = b.organization_id and i.reimbursement_id = b.reimbursement_id and i.attempt = b.attempt
  and i.state = 'pending'
returning i.organization_id, i.reimbursement_id, i.attempt, i.claimed_at;

-- settle: what came of attempts; only the current attempt changes its item, anything later is kept as evidence
with verdict as (
    select * from unnest(
        $1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::interval[], $8::text[], $9::text[],
        $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[], $15::text[], $16::text[], $17::timestamptz[],
        $18::bytea[], $20::text[], $21::interval[], $22::boolean[], $23::boolean[], $24::integer[], $25::boolean[])
    as v (organization_id, reimbursement_id, attempt, from_state, outcome, state, due_in, document_number, document_id,
          document_url, code, reason, event_type, event_value, connector, reference, claimed_at, request_hash,
          kind, quarantine, for_a_person, resent_no_more, absences, in_doubt)
),
settled as (
    update item i
    set state = v.state, changed_at = clock_timestamp(),
        due_at = case when v.for_a_person then 'infinity' else coalesce(clock_timestamp() + v.due_in, 'epoch') end,
        quarantined_until = coalesce(clock_timestamp() + v.quarantine, i.quarantined_until), absences = v.absences,
        resend_resolves = i.resend_resolves and not v.resent_no_more,
        doubt_since = case when v.state = 'unknown' then coalesce(i.doubt_since, clock_timestamp()) end,
        document_number = v.document_number, document_id = v.document_id, document_url = v.document_url,
        reason_code = v.code, reason = v.reason, fence = null, claimed_by = null
    from verdict v
    where i.organization_id = v.organization_id and i.reimbursement_id = v.reimbursement_id and i.attempt = v.attempt
      and ((i.state = v.from_state and (v.absences = 0 or i.absences = v.absences - 1))
           or (i.state = 'unknown' and v.outcome in ('posted', 'accepted', 'found', 'not_sent', 'different')))
      and not (v.for_a_person and i.due_at = 'infinity') -- it waits for one already
    returning i.organization_id, i.reimbursement_id, i.attempt, i.state, i.run_id
),
history as (
    insert into attempt_entry
        (organization_id, reimbursement_id, attempt, kind, connector, reference, claimed_at, recorded_by, request_hash, outcome,
         document_number, document_id, code, detail)
    select v.organization_id, v.reimbursement_id, v.attempt,
           case when i.state <> v.from_state or i.attempt <> v.attempt then 'late' else v.kind end,
           v.connector, v.reference, v.claimed_at, $19, v.request_hash, v.outcome, v.document_number, v.document_id, v.code, v.reason
    from verdict v
    join item i on i.organization_id = v.organization_id and i.reimbursement_id = v.reimbursement_id
    left join settled s on s.organization_id = v.organization_id and s.reimbursement_id = v.reimbursement_id
                       and s.attempt = v.attempt
    where s.state is not null or i.attempt > v.attempt or i.state <> v.state
),
told as (
    insert into outbox (organization_id, event_type, value)
    select v.organization_id, v.event_type, v.event_value
    from verdict v
    join settled s using (organization_id, reimbursement_id, attempt)
    where v.event_type is not null
    returning outbox_id
),
counted as (
    update sync_run r
    set synced = r.synced + n.synced, rejected = r.rejected + n.rejected, unknown = greatest(r.unknown + n.unknown, 0)
    from (select s.organization_id, s.run_id, count(*) filter (where s.state = 'synced') as synced,
                 count(*) filter (where s.state = 'rejected') as rejected,
                 sum((s.state = 'unknown')::integer - (i.state = 'unknown' or v.in_doubt)::integer) as unknown
          from settled s
          join verdict v using (organization_id, reimbursement_id, attempt)
          join item i using (organization_id, reimbursement_id) -- as it was before this statement
          where s.run_id is not null group by s.organization_id, s.run_id) n
    where r.organization_id = n.organization_id and r.run_id = n.run_id and r.finished_at is null
)
select organization_id, reimbursement_id, attempt, case when (select count(*) from told) > 0 then pg_notify('accounting_sync_outbox', '') end
from settled;

-- due_looks: staged imports, and unknown outcomes whose quarantine is over, to be looked up at the ERP
select i.reimbursement_id, i.state, i.attempt, i.reference, i.claimed_at, i.request_hash, i.currency, i.total_minor,
       i.absences, clock_timestamp() - i.claimed_at as age
from item i
where i.organization_id = $1 and i.state in ('confirming', 'unknown') and not i.resend_resolves and i.connector = $2
  and i.due_at <= clock_timestamp()
order by i.due_at
limit $3;

-- next_due: how long until the next one is to be looked up, and until the next one is to be sent again
select (select min(due_at) from item
        where organization_id = $1 and state in ('confirming', 'unknown') and not resend_resolves and connector = $2
          and due_at < 'infinity') - clock_timestamp() as look,
       (select min(due_at) from item
        where organization_id = $1 and state = 'unknown' and resend_resolves and connector = $2
          and due_at < 'infinity') - clock_timestamp() as resend;

-- look_again: the import has not decided yet; one that takes too long says so
update item i
set due_at = clock_timestamp() + b.delay, reason_code = b.code, reason = b.reason
from unnest($2::text[], $3::integer[], $4::interval[], $5::text[], $6::text[]) as b (reimbursement_id, attempt, delay, code, reason)
where i.organization_id = $1 and i.reimbursement_id = b.reimbursement_id and i.attempt = b.attempt and i.state = 'confirming';

-- ask_again: a person wants an unknown outcome looked up once more; never before its quarantine is over
update item
set due_at = greatest(coalesce(quarantined_until, 'epoch'), clock_timestamp()), resend_resolves = false, absences = 0,
    changed_at = clock_timestamp()
where (organization_id, reimbursement_id) = ($1, $2) and state = 'unknown';

-- has_open_connector: whether the connector is on, for look-ups
select version from connector where organization_id = $1 and kind = $2 and enabled and suspended_at is null;

-- lock_item: an item a person decides on
select reimbursement_id, state, attempt from item where (organization_id, reimbursement_id) = ($1, $2) for update;

-- retry: a person sends a rejected item round again
update item
set state = 'pending', due_at = 'epoch', reason = null, reason_code = null, document_number = null, document_id = null,
    document_url = null, changed_at = clock_timestamp()
where (organization_id, reimbursement_id) = ($1, $2) and state = 'rejected';

-- hand_over: a person says that it was handled elsewhere, and why
update item
set state = 'handled_elsewhere', reason = $3, reason_code = 'handled_elsewhere', changed_at = clock_timestamp()
where (organization_id, reimbursement_id) = ($1, $2) and state in ('pending', 'rejected', 'unknown');

-- hand_over_waiting: a person says of all that waits, or was approved before a moment, that it was handled elsewhere; one
-- batch of it in the order of arrival, after a sequence number and through another; answers what it was, by currency
with waiting as (
    select organization_id, reimbursement_id from item
    where organization_id = $1 and state = 'pending' and seq > $3 and seq <= $6
      and ($2::timestamptz is null or approved_at < $2)
    order by seq
    limit $4
    for update
),
marked as (
    update item i
    set state = 'handled_elsewhere', reason = $5, reason_code = 'handled_elsewhere', changed_at = clock_timestamp()
    from waiting w
    where i.organization_id = w.organization_id and i.reimbursement_id = w.reimbursement_id
    returning i.seq, i.currency, i.total_minor
)
select currency, count(*) as count, sum(total_minor)::bigint as total_minor, max(seq) as last from marked group by currency;

-- piece item_columns: what is told of an item `i`
i.reimbursement_id, i.seq, i.state, i.attempt, i.total_minor, i.currency, i.approved_at, i.received_at, i.changed_at,
i.connector, i.reference, i.document_number, i.document_id, i.document_url, i.reason_code, i.reason,
nullif(nullif(i.due_at, 'infinity'), 'epoch') as due_at, i.due_at = 'infinity' as is_for_a_person,
i.quarantined_until, i.resend_resolves, i.absences

-- list_items: oldest first, after a given sequence number
select {item_columns}
from item i
where i.organization_id = $1 and i.seq > $2
order by i.seq
limit $3;

-- list_items_in_state: the same of one state, which is written into the text: given as a parameter it would keep plans from the partial indexes
select {item_columns}
from item i
where i.organization_id = $1 and i.seq > $2 and i.state = '{state}'
order by i.seq
limit $3;

-- list_newest: newest first, before a given sequence number
select {item_columns}
from item i
where i.organization_id = $1 and i.seq < $2
order by i.seq desc
limit $3;

-- list_newest_in_state: the same of one state, which is written into the text
select {item_columns}
from item i
where i.organization_id = $1 and i.seq < $2 and i.state = '{state}'
order by i.seq desc
limit $3;

-- list_newest_synced: what was synced last comes first, before a given time and sequence number
select {item_columns}
from item i
where i.organization_id = $1 and (i.changed_at, i.seq) < ($2, $3) and i.state = 'synced'
order by i.changed_at desc, i.seq desc
limit $4;

-- list_oldest_synced: the other way round, after a given time and sequence number
select {item_columns}
from item i
where i.organization_id = $1 and (i.changed_at, i.seq) > ($2, $3) and i.state = 'synced'
order by i.changed_at, i.seq
limit $4;

-- list_left_by_run: what a run left to a person, in one state or whichever, oldest first, after a given sequence number
select {item_columns}
from item i
where i.organization_id = $1 and i.run_id = $2 and i.state in ('rejected', 'unknown') and ($3::text is null or i.state = $3)
  and i.seq > $4
order by i.seq
limit $5;

-- list_newest_left_by_run: the other way round, before a given sequence number
select {item_columns}
from item i
where i.organization_id = $1 and i.run_id = $2 and i.state in ('rejected', 'unknown') and ($3::text is null or i.state = $3)
  and i.seq < $4
order by i.seq desc
limit $5;

-- find_items: those whose id begins with a text, newest first; only so many of the newest are looked at, since no index has them
select {item_columns}
from (select * from item where organization_id = $1 order by seq desc limit $3) i
where starts_with(i.reimbursement_id, $2)
order by i.seq desc
limit $4;

-- show_item: one
select {item_columns}
from item i
where (i.organization_id, i.reimbursement_id) = ($1, $2);

-- item_attempts: the history of one item
select attempt, kind, connector, reference, claimed_at, recorded_at, outcome, document_number, document_id, code, detail
from attempt_entry
where (organization_id, reimbursement_id) = ($1, $2)
order by attempt, entry_id;

-- waiting: what is pending, by currency
select currency, count(*) as count, sum(total_minor)::bigint as total_minor, min(approved_at) as oldest
from item
where organization_id = $1 and state = 'pending'
group by currency
order by currency;

-- waiting_to_hand_over: the same of what hand_over_waiting would mark, all batches of it, and where that ends
select currency, count(*) as count, sum(total_minor)::bigint as total_minor, min(approved_at) as oldest, max(seq) as last
from item
where organization_id = $1 and state = 'pending' and seq <= $3 and ($2::timestamptz is null or approved_at < $2)
group by currency
order by currency;

-- waits_for_many: whether more than so many are pending; looks no further than that
select count(*) > $2 from (select from item where organization_id = $1 and state = 'pending' limit $2::bigint + 1) few;

-- state_counts: how many items there are in each state; counts none further than a limit
select state, count from (
    select 'pending' as state, count(*) as count
    from (select from item where organization_id = $1 and state = 'pending' limit $2) few
    union all
    select 'sending', count(*) from (select from item where organization_id = $1 and state = 'sending' limit $2) few
    union all
    select 'confirming', count(*) from (select from item where organization_id = $1 and state = 'confirming' limit $2) few
    union all
    select 'synced', count(*) from (select from item where organization_id = $1 and state = 'synced' limit $2) few
    union all
    select 'rejected', count(*) from (select from item where organization_id = $1 and state = 'rejected' limit $2) few
    union all
    select 'unknown', count(*) from (select from item where organization_id = $1 and state = 'unknown' limit $2) few
    union all
    select 'handled_elsewhere', count(*)
    from (select from item where organization_id = $1 and state = 'handled_elsewhere' limit $2) few
) counted;

-- waiting_everywhere: what is pending, by organisation and currency
select organization_id, currency, count(*) as count, sum(total_minor)::bigint as total_minor, min(approved_at) as oldest
from item
where state = 'pending'
group by organization_id, currency
order by organization_id, currency;

-- waiting_of_some: the same of some organisations
select organization_id, currency, count(*) as count, sum(total_minor)::bigint as total_minor, min(approved_at) as oldest
from item
where organization_id = any($1::text[]) and state = 'pending'
group by organization_id, currency
order by organization_id, currency;

-- pending_content: the oldest pending approvals, for the preview
select content from item where organization_id = $1 and state = 'pending' order by seq limit $2;

-- doubts: what waits for a person to compare, and what is in doubt for longer than the protocol takes; the conditions follow the partial indexes
select organization_id, state, is_for_a_person, count(*) as count
from (
    select i.organization_id, 'sending' as state, false as is_for_a_person
    from item i
    join lane l using (organization_id)
    where i.state = 'sending' and l.leased_until < clock_timestamp() - interval '1 minute'
    union all
    select organization_id, 'unknown', false
    from item
    where state = 'sending'
      and doubt_since < clock_timestamp() - 3 * coalesce(request_life, interval '15 minutes') - interval '10 minutes'
    union all
    select organization_id, state, due_at = 'infinity'
    from item
    where state in ('confirming', 'unknown')
      and case state
          when 'confirming' then reason_code = 'import_overdue'
          else due_at = 'infinity'
               or coalesce(doubt_since, claimed_at) < clock_timestamp() - 3 * coalesce(request_life, interval '15 minutes') - interval '10 minutes'
          end
) as doubtful
group by organization_id, state, is_for_a_person;
