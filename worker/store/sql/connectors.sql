-- add_organization: answers no row where it is known
insert into organization (organization_id, name) values ($1, $2) on conflict do nothing returning organization_id;

-- overview: organisations with their connector that is or was last in use; of some (null: of all), after a given one
select o.organization_id, o.name, c.kind, coalesce(c.enabled, false) as enabled, c.suspended_at is not null as suspended,
       c.quiesced_at
from organization o
left join lateral (
    select kind, enabled, suspended_at, quiesced_at from connector
    where organization_id = o.organization_id
    order by enabled desc, changed_at desc nulls last, kind
    limit 1) c on true
where ($1::text[] is null or o.organization_id = any($1)) and o.organization_id > $2
order by o.organization_id
limit $3;

-- organization_exists: whether it is set up
select exists (select from organization where organization_id = $1);

-- organization_name: what people know it by
select name from organization where organization_id = $1;

-- open_lane: the organisation's posting queue
insert into lane (organization_id) values ($1) on conflict do nothing;

-- lock_flags: the organisation's connectors, held against claims and other switches
select kind, title, enabled, revision, suspended_at is not null as suspended, quiesced_at,
       release_policy, enabled_mark, released_through, schedule, time_zone, changed_at, changed_by, reason
from connector
where organization_id = $1
order by kind
for update;

-- last_seq: the newest sequence number given to an item; rows of open transactions lie at or below it
select case when is_called then last_value else 0 end from item_order;

-- switch_on: the administrator's word; what waited is released as the marks say
update connector
set enabled = true, changed_by = $3, changed_at = $4, reason = $5, revision = coalesce($6, revision),
    quiesced_at = null, suspended_at = null, suspended_reason = null, probe_at = null, refusals = 0,
    enabled_mark = $7, released_through = $8, next_run_at = $9
where (organization_id, kind) = ($1, $2);

-- switch_off: the administrator's word; quiesced at once where nothing is in flight
update connector
set enabled = false, changed_by = $3, changed_at = $4, reason = $5, revision = coalesce($6, revision),
    suspended_at = null, suspended_reason = null, probe_at = null, refusals = 0, next_run_at = null,
    quiesced_at = case when $7 then null else clock_timestamp() end
where (organization_id, kind) = ($1, $2);

-- note_revision: a toggle that changed nothing still says how far its publisher is
update connector set revision = $3 where (organization_id, kind) = ($1, $2) and $3 > coalesce(revision, -1);

-- in_flight: how many reimbursements and receipts are on the wire to this connector
select (select count(*) from item where (organization_id, connector) = ($1, $2) and state = 'sending')
       + (select count(*) from receipt r join item i using (organization_id, reimbursement_id)
          where r.organization_id = $1 and i.connector = $2 and r.state = 'sending' and r.taken_until > clock_timestamp());

-- outcome_unknown: attempts at this connector that ended without an answer and are not resolved yet
select count(*) from item where organization_id = $1 and connector = $2 and state = 'unknown';

-- unresolved: what is on its way to this connector's ledger, or may be there
select count(*) from item where organization_id = $1 and connector = $2 and state in ('sending', 'confirming', 'unknown');

-- switching_off: connectors that were switched off and may be idle by now
select c.organization_id, c.kind
from connector c
where not c.enabled and c.quiesced_at is null
  and not exists (
      select from item i
      where i.organization_id = c.organization_id and i.connector = c.kind and i.state = 'sending'
  )
  and not exists (
      select from receipt r join item i using (organization_id, reimbursement_id)
      where r.organization_id = c.organization_id and i.connector = c.kind and r.state = 'sending'
        and r.taken_until > clock_timestamp()
  );

-- quiesce: nothing is in flight and nothing can start; answers no row where that is not so
update connector c
set quiesced_at = clock_timestamp()
where (c.organization_id, c.kind) = ($1, $2) and not c.enabled and c.quiesced_at is null
  and not exists (
      select from item i
      where i.organization_id = c.organization_id and i.connector = c.kind and i.state = 'sending'
  )
  and not exists (
      select from receipt r join item i using (organization_id, reimbursement_id)
      where r.organization_id = c.organization_id and i.connector = c.kind and r.state = 'sending'
        and r.taken_until > clock_timestamp()
  )
returning c.title;

-- suspend: the worker's own pause, with its reason; the administrator's flag stays. What refused is what a version of the
-- configuration made (null: whichever): nothing is known of one that replaced it
update connector
set suspended_at = clock_timestamp(), suspended_reason = $3, refusals = refusals + 1, probe_at = clock_timestamp()
where (organization_id, kind) = ($1, $2) and enabled and suspended_at is null and version = coalesce($4, version)
returning refusals;

-- probe_in: when a suspended connector is tried next
update connector set probe_at = clock_timestamp() + $3::interval
where (organization_id, kind) = ($1, $2) and suspended_at is not null;

-- due_probe: the suspended connector that is to be tried now
select kind from connector
where organization_id = $1 and enabled and suspended_at is not null and coalesce(probe_at, 'epoch') <= clock_timestamp();

-- note_refusal: a probe was in vain; why may have changed. Answers no row where the suspension ended meanwhile
update connector set refusals = refusals + 1, suspended_reason = $3
where (organization_id, kind) = ($1, $2) and enabled and suspended_at is not null
returning refusals;

-- resume: ends the worker's own pause; only what the ERP takes, or a person, forgets the refusals before it
update connector
set suspended_at = null, suspended_reason = null, probe_at = null, refusals = case when $2 then 0 else refusals end
where organization_id = $1 and enabled and suspended_at is not null
returning kind;

-- forget_refusals: the ERP took something
update connector set refusals = 0 where (organization_id, kind) = ($1, $2) and refusals > 0 and suspended_at is null;

-- save_configuration: makes or changes a connector; never switches it
insert into connector as c
    (organization_id, kind, title, release_policy, schedule, time_zone, settings, mapping, next_run_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, null)
on conflict (organization_id, kind) do update
set title = excluded.title, release_policy = excluded.release_policy, schedule = excluded.schedule,
    time_zone = excluded.time_zone, settings = excluded.settings, mapping = excluded.mapping, version = c.version + 1,
    suspended_at = null, suspended_reason = null, probe_at = null, refusals = 0,
    next_run_at = case when c.enabled then $9::timestamptz end
returning c.enabled, c.version;

-- renew: what adapters are made from has changed beside the configuration; never switches
update connector
set version = version + 1, suspended_at = null, suspended_reason = null, probe_at = null, refusals = 0
where (organization_id, kind) = ($1, $2);

-- save_secret: one encrypted field
insert into connector_secret (organization_id, kind, field, key_id, nonce, ciphertext)
values ($1, $2, $3, $4, $5, $6)
on conflict (organization_id, kind, field) do update
set key_id = excluded.key_id, nonce = excluded.nonce, ciphertext = excluded.ciphertext;

-- read_secrets: the encrypted fields of one connector
select field, key_id, nonce, ciphertext from connector_secret where (organization_id, kind) = ($1, $2);

-- lock_secrets: the encrypted fields of one connector, held until the transaction ends
select field, key_id, nonce, ciphertext from connector_secret where (organization_id, kind) = ($1, $2) for update;

-- secrets_by_key: how many connectors have credentials under each key
select key_id, count(distinct (organization_id, kind)) as connectors from connector_secret group by key_id order by key_id;

-- under_other_keys: connectors with a credential that another key encrypted, after a given one
select distinct organization_id, kind from connector_secret
where key_id <> $1 and (organization_id, kind) > ($2, $3)
order by organization_id, kind
limit $4;

-- read_configuration: what an adapter is made from
select kind, title, settings, mapping, time_zone, version from connector where (organization_id, kind) = ($1, $2);

-- connector_views: what people see of an organisation's connectors, the one that is or was last in use first
select c.organization_id, c.kind, c.title, c.enabled, c.changed_by, c.changed_at, c.reason, c.revision,
       c.quiesced_at, c.suspended_at, c.suspended_reason, c.release_policy, c.schedule, c.time_zone, c.next_run_at,
       c.probe_at, c.enabled_mark, c.released_through, c.version, c.settings, c.mapping,
       (select count(*) from item i
        where i.organization_id = c.organization_id and i.connector = c.kind and i.state = 'unknown') as outcome_unknown,
       (select count(*) from item i
        where i.organization_id = c.organization_id and i.connector = c.kind and i.state = 'sending')
       + (select count(*) from receipt r join item i using (organization_id, reimbursement_id)
          where r.organization_id = c.organization_id and i.connector = c.kind and r.state = 'sending'
            and r.taken_until > clock_timestamp()) as in_flight
from connector c
where c.organization_id = $1
order by c.enabled desc, c.changed_at desc nulls last, c.kind;

-- due_schedules: connectors whose scheduled run is due; another worker's are skipped
select organization_id, kind, schedule, time_zone, clock_timestamp() as now
from connector
where enabled and next_run_at <= clock_timestamp()
order by next_run_at
limit 1
for update skip locked;

-- set_next_run: when the schedule is due again
update connector set next_run_at = $3 where (organization_id, kind) = ($1, $2);
