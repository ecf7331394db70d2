"""Time that passes only when the machine says so: what PostgreSQL plans for later never comes by itself."""

from datetime import timedelta

HOUR = timedelta(hours=1)
LEASE = timedelta(days=1)

STANDS_STILL = """
create function stand_still() returns trigger language plpgsql as $$
begin
    if new.due_at > clock_timestamp() and new.due_at < 'infinity' and new.due_at is distinct from old.due_at then
        new.due_at = new.due_at + interval '1 day';
    end if;
    if new.quarantined_until > clock_timestamp() and new.quarantined_until is distinct from old.quarantined_until then
        new.quarantined_until = new.quarantined_until + interval '1 day';
    end if;
    return new;
end $$;
create trigger stand_still before update on item for each row execute function stand_still();
"""
"""A back-off of one second would pass while a slow machine looks away."""

IS_DUE = "update item set due_at = 'epoch' where (organization_id, reimbursement_id) = ($1, $2)"
QUARANTINE_IS_OVER = """
update item set due_at = 'epoch', quarantined_until = 'epoch' where (organization_id, reimbursement_id) = ($1, $2)
"""
IMPORT_IS_OLD = """
update item set due_at = 'epoch', claimed_at = claimed_at - interval '1 day'
where (organization_id, reimbursement_id) = ($1, $2)
"""
LEASE_IS_OVER = "update lane set leased_until = clock_timestamp() - interval '1 second' where organization_id = $1"
