-- lease_lanes: takes free lanes with something to do, and lanes whose holder is gone, first those that were held longest ago; null hints: look at all
with candidate as (
    select l.organization_id
    from lane l
    where l.leased_until < clock_timestamp()
      and ($3::text[] is null or l.organization_id = any($3::text[]))
      and (l.leased_by is not null
           or exists (select from connector c
                      where c.organization_id = l.organization_id
                        and ((c.enabled and c.suspended_at is null and l.not_before <= clock_timestamp()
                              and (exists (select from item i
                                           where i.organization_id = c.organization_id and i.state = 'pending'
                                             and i.seq <= c.released_through)
                                   or exists (select from item i
                                              where i.organization_id = c.organization_id and i.state = 'pending'
                                                and i.seq > c.enabled_mark)
                                   or exists (select from item i
                                              where i.organization_id = c.organization_id
                                                and i.state in ('confirming', 'unknown') and i.connector = c.kind
                                                and i.due_at <= clock_timestamp())
                                   or exists (select from sync_run r
                                              where r.organization_id = c.organization_id and r.finished_at is null)))
                             or (c.enabled and c.suspended_at is not null
                                 and coalesce(c.probe_at, 'epoch') <= clock_timestamp())
                             or (not c.enabled and c.quiesced_at is null))))
    order by l.leased_until
    limit $4
    for update of l skip locked
)
update lane l
set fence = l.fence + 1, leased_by = $1, leased_until = clock_timestamp() + $2::interval
from candidate c
where l.organization_id = c.organization_id
returning l.organization_id, l.fence, l.failures, greatest(l.not_before - clock_timestamp(), interval '0') as pause;

-- renew_leases: keeps what is still held; answers which
update lane l
set leased_until = clock_timestamp() + $2::interval
from unnest($3::text[], $4::bigint[]) as h (organization_id, fence)
where l.organization_id = h.organization_id and l.fence = h.fence and l.leased_by = $1
  and l.leased_until > clock_timestamp()
returning l.organization_id;

-- release_lane: free for others at once
update lane set leased_by = null, leased_until = clock_timestamp()
where organization_id = $1 and fence = $2 and leased_by = $3;

-- end_lease: free for others at once, as after a holder that is gone: whoever takes it abandons what it left
update lane set leased_until = clock_timestamp()
where organization_id = $1 and fence = $2 and leased_by = $3 and leased_until > clock_timestamp();

-- pause_lane: the ERP could not be reached or asked for patience
update lane set not_before = clock_timestamp() + $3::interval, failures = $4
where organization_id = $1 and fence = $2;

-- clear_failures: the ERP answers again
update lane set failures = 0, not_before = 'epoch' where organization_id = $1 and fence = $2;

-- abandon_sending: what an earlier holder left on the wire; nobody knows what came of it
with left_over as (
    update item
    set state = 'unknown', reason = 'The worker that sent it ended without recording an answer.', reason_code = 'worker_lost',
        fence = null, claimed_by = null, changed_at = clock_timestamp(), doubt_since = coalesce(doubt_since, clock_timestamp()),
        quarantined_until = clock_timestamp() + coalesce(request_life, interval '15 minutes'),
        due_at = case when resend_resolves then clock_timestamp()
                      else clock_timestamp() + coalesce(request_life, interval '15 minutes') end
    where organization_id = $1 and state = 'sending' and fence < $2
    returning organization_id, reimbursement_id, attempt, connector, reference, claimed_at, request_hash, run_id, reason
),
history as (
    insert into attempt_entry
        (organization_id, reimbursement_id, attempt, kind, connector, reference, claimed_at, recorded_by, request_hash, outcome,
         code, detail)
    select organization_id, reimbursement_id, attempt, 'settled', connector, reference, claimed_at, $3, request_hash, 'unknown',
           'worker_lost', reason
    from left_over
),
counted as (
    update sync_run r set unknown = r.unknown + n.count
    from (select run_id, count(*) from left_over where run_id is not null group by run_id) n
    where r.organization_id = $1 and r.run_id = n.run_id and r.finished_at is null
)
select organization_id, reimbursement_id, attempt, connector, claimed_at from left_over;
