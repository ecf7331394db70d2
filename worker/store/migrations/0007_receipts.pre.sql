-- How many receipts an approval has, and what becomes of each once the approval is posted.
-- What code before this one accepts has none: it drops them from the content.
set local lock_timeout = '2s';
set local statement_timeout = '30s';

alter table item add column receipts integer not null default 0;

create table receipt (
    organization_id text not null,
    reimbursement_id text not null,
    position integer not null check (position > 0),
    state text not null default 'waiting' check (state in ('waiting', 'sending', 'attached', 'given_up', 'not_wanted')),
    attempts integer not null default 0 check (attempts >= 0),
    due_at timestamptz not null default clock_timestamp(),
    taken_until timestamptz,
    changed_at timestamptz not null default clock_timestamp(),
    reason_code text,
    reason text,
    primary key (organization_id, reimbursement_id, position),
    constraint sending_is_taken check (state <> 'sending' or taken_until is not null),
    constraint given_up_has_a_reason check (state <> 'given_up' or coalesce(reason, '') <> '')
) with (fillfactor = 70);
create index receipt_due on receipt (organization_id, due_at) where state in ('waiting', 'sending');
create index receipt_taken on receipt (organization_id) where taken_until is not null;

create function open_receipts() returns trigger language plpgsql as $$
begin
    insert into receipt (organization_id, reimbursement_id, position)
    select new.organization_id, new.reimbursement_id, place from generate_series(1, new.receipts) as place;
    return null;
end
$$;
create trigger item_opens_its_receipts after update of state on item
    for each row when (new.receipts > 0 and new.state = 'synced' and old.state <> 'synced') execute function open_receipts();
