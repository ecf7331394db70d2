-- lead_taking: one worker at a time takes receipts, so that no two take the same organisation's; ends with the transaction
select pg_try_advisory_xact_lock(hashtext('accounting_sync_receipts'));

-- take_due: the receipt that is due first of each organisation whose connector is on and that has none under way
with due as (
    select r.organization_id, r.reimbursement_id, r.position
    from connector c
    cross join lateral (
        select r.organization_id, r.reimbursement_id, r.position, r.due_at
        from receipt r
        join item i using (organization_id, reimbursement_id)
        where r.organization_id = c.organization_id and i.connector = c.kind and r.state in ('waiting', 'sending')
          and r.due_at <= clock_timestamp()
        order by r.due_at, r.reimbursement_id, r.position
        limit 1) r
    where c.enabled and c.suspended_at is null
      and not exists (
          select from receipt t where t.organization_id = c.organization_id and t.taken_until > clock_timestamp()
      )
    order by r.due_at
    limit $1
)
update receipt r
set attempts = r.attempts + 1, due_at = clock_timestamp() + $2::interval, taken_until = clock_timestamp() + $2::interval
from due d
join item i using (organization_id, reimbursement_id)
where (r.organization_id, r.reimbursement_id, r.position) = (d.organization_id, d.reimbursement_id, d.position)
returning r.organization_id, r.reimbursement_id, r.position, r.attempts, r.attempts - r.attempts_before as tries,
    i.connector, i.document_id, i.content;

-- hold_connector: its flag re-read, held until this transaction ends; answers no row where it is off, suspended or configured anew
select kind from connector
where (organization_id, kind, version) = ($1, $2, $3) and enabled and suspended_at is null
for share;

-- begin_sending: to be committed before the first byte leaves; answers no row where somebody else has it now
update receipt
set state = 'sending', taken_until = clock_timestamp() + $5::interval, due_at = clock_timestamp() + $6::interval,
    changed_at = clock_timestamp()
where (organization_id, reimbursement_id, position, attempts) = ($1, $2, $3, $4) and taken_until > clock_timestamp()
returning position;

-- settle_receipt: what came of a try; answers no row where somebody else has it now
update receipt
set state = $5, due_at = moment.now + $6::interval, taken_until = null, reason_code = $7, reason = $8,
    changed_at = moment.now
from (select clock_timestamp() as now) moment
where (organization_id, reimbursement_id, position, attempts) = ($1, $2, $3, $4) and state in ('waiting', 'sending')
returning position;

-- retry_given_up: a person has an item's receipts tried again, as if for the first time, never before what was sent can be
-- applied no more; answers which
update receipt
set state = 'waiting', attempts_before = attempts, due_at = greatest(due_at, clock_timestamp()), reason_code = null,
    reason = null, changed_at = clock_timestamp()
where (organization_id, reimbursement_id) = ($1, $2) and state = 'given_up'
returning position;

-- item_receipts: what became of one item's
select position, state, attempts - attempts_before as tries, due_at, changed_at, reason
from receipt
where (organization_id, reimbursement_id) = ($1, $2)
order by position;
