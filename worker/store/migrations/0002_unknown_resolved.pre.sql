-- What is needed to bring an unknown outcome to an end, and a suspended connector back by itself.

set local lock_timeout = '2s';
set local statement_timeout = '10min';

-- `request_life`: how long a request of this attempt may still be applied once nobody waits for its answer.
-- `resend_resolves`: the ERP refuses a second document with the same reference, so sending again is the look-up.
-- `quarantined_until`: until then an earlier request may be alive. `absences`: look-ups in a row that found nothing.
alter table item
    add column request_life interval,
    add column resend_resolves boolean not null default false,
    add column quarantined_until timestamptz,
    add column absences integer not null default 0;

-- Parked until now: from here on they are looked up, but for those that a person has to compare.
update item
set request_life = '15 minutes', quarantined_until = clock_timestamp() + '15 minutes',
    due_at = case when reason_code = 'different_document' then 'infinity' else clock_timestamp() + '15 minutes' end
where state = 'unknown';

-- Partial and small; the migration holds no other lock on the table for long.
-- squawk-ignore require-concurrent-index-creation
create index item_to_look_at on item (organization_id, due_at) where state in ('confirming', 'unknown');

-- The new constraints allow more than the old ones did; 0003 validates them.
alter table attempt_entry
    -- squawk-ignore ban-drop-constraint
    drop constraint attempt_entry_kind_check,
    -- squawk-ignore ban-drop-constraint
    drop constraint attempt_entry_outcome_check,
    add constraint attempt_entry_kind_check check (kind in ('settled', 'confirmed', 'late', 'looked_up')) not valid,
    add constraint attempt_entry_outcome_check check (
        outcome in ('posted', 'accepted', 'not_sent', 'rejected', 'unavailable', 'unknown', 'found', 'different', 'staged', 'absent')
    ) not valid;

-- `refusals`: suspensions and vain probes since the ERP last took something, or since a person acted.
alter table connector
    add column refusals integer not null default 0,
    add column probe_at timestamptz;
update connector set probe_at = clock_timestamp() where suspended_at is not null;
