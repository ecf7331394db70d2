-- The schema that the code expects: what all migrations lead to, written out once more. A test compares the two
-- (tests/integration/worker/test_schema.py). Nothing is ever created from this file but that test's database.
-- Everything the worker keeps. `organization_id` comes first in every key that holds an organisation's data.

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the rows of % are written once: % is refused', tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation';
end
$$;

create table organization (
    organization_id text primary key check (organization_id ~ '^[A-Za-z0-9._:-]{1,64}$'),
    name text not null check (name <> ''),
    created_at timestamptz not null default clock_timestamp()
);

-- An organisation's link to one ERP. `enabled` is the administrator's word and nobody else's;
-- `suspended_at` is the worker's own pause and never touches it.
-- Released for posting is what has seq <= released_through or seq > enabled_mark.
create table connector (
    organization_id text not null references organization,
    kind text not null check (kind ~ '^[a-z][a-z0-9_]{0,31}$'),
    title text not null,
    enabled boolean not null default false,
    revision bigint,
    changed_by text,
    changed_at timestamptz,
    reason text,
    quiesced_at timestamptz default clock_timestamp(),
    suspended_at timestamptz,
    suspended_reason text,
    -- Suspensions and vain probes since the ERP last took something, or since a person acted; when it is tried next.
    refusals integer not null default 0,
    probe_at timestamptz,
    release_policy text not null default 'on_enable' check (release_policy in ('on_enable', 'next_sync')),
    enabled_mark bigint not null default 0,
    released_through bigint not null default 0,
    schedule text,
    time_zone text not null default 'Europe/Oslo',
    next_run_at timestamptz,
    settings json not null,
    mapping json not null, -- json, not jsonb: the order of its keys counts
    version bigint not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    primary key (organization_id, kind),
    constraint enabled_is_not_quiesced check (not enabled or quiesced_at is null),
    constraint change_is_attributed check (
        not enabled or (changed_by is not null and changed_at is not null and coalesce(reason, '') <> '')
    ),
    constraint suspension_has_a_reason check ((suspended_at is null) = (suspended_reason is null)),
    constraint next_run_needs_a_schedule check (next_run_at is null or schedule is not null)
) with (fillfactor = 70);
create unique index one_enabled_connector on connector (organization_id) where enabled;
create index connector_switching_off on connector (organization_id) where not enabled and quiesced_at is null;
create index connector_next_run on connector (next_run_at) where enabled and next_run_at is not null;

-- One row for each secret field; the ciphertext is bound to organisation, connector and field.
create table connector_secret (
    organization_id text not null,
    kind text not null,
    field text not null,
    key_id text not null,
    nonce bytea not null check (octet_length(nonce) = 12),
    ciphertext bytea not null,
    primary key (organization_id, kind, field),
    foreign key (organization_id, kind) references connector
);

-- Toggle events seen, for ever: a topic that is read again switches nothing.
create table toggle_event (
    organization_id text not null,
    event_source text not null,
    event_id text not null,
    content_hash bytea not null check (octet_length(content_hash) = 32),
    received_at timestamptz not null default clock_timestamp(),
    primary key (organization_id, event_source, event_id)
);
create trigger toggle_event_is_written_once before update or delete or truncate on toggle_event
    for each statement execute function refuse_change();

-- A bounded push of what is pending: everything up to the sequence number `mark`.
create table sync_run (
    organization_id text not null,
    run_id uuid not null default gen_random_uuid(),
    kind text not null check (kind in ('connector_enabled', 'schedule', 'manual')),
    connector text not null,
    requested_by text not null,
    mark bigint not null,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    result text check (result in ('finished', 'stopped')),
    synced bigint not null default 0 check (synced >= 0),
    rejected bigint not null default 0 check (rejected >= 0),
    unknown bigint not null default 0 check (unknown >= 0),
    remaining bigint check (remaining >= 0),
    primary key (organization_id, run_id),
    foreign key (organization_id, connector) references connector (organization_id, kind),
    constraint a_result_ends_it check ((finished_at is null) = (result is null) and (result is null) = (remaining is null))
) with (fillfactor = 70);
create unique index one_open_run on sync_run (organization_id) where finished_at is null;
create unique index sync_run_by_id on sync_run (run_id);

-- One approved reimbursement on its way. Its identity is unique for ever, so nothing here is ever deleted.
-- `seq` is the order of arrival; `content` is the canonical approval.
create sequence item_order;
create table item (
    organization_id text not null check (
        organization_id !~ '[^A-Za-z0-9._:-]' and length(organization_id) between 1 and 64
    ),
    reimbursement_id text not null check (
        reimbursement_id !~ '[^A-Za-z0-9._:-]' and length(reimbursement_id) between 1 and 64
    ),
    seq bigint not null default nextval('item_order'),
    approved_at timestamptz not null,
    received_at timestamptz not null default clock_timestamp(),
    total_minor bigint not null check (total_minor > 0),
    currency text not null check (currency !~ '[^A-Z]' and length(currency) = 3),
    state text not null default 'pending' check (
        state in ('pending', 'sending', 'confirming', 'synced', 'rejected', 'unknown', 'handled_elsewhere')
    ),
    attempt integer not null default 0 check (attempt >= 0),
    due_at timestamptz not null default 'epoch',
    changed_at timestamptz not null default clock_timestamp(),
    connector text,
    reference text check (length(reference) <= 35),
    claimed_at timestamptz,
    claimed_by uuid,
    fence bigint,
    request_hash bytea check (octet_length(request_hash) = 32),
    run_id uuid,
    -- How long a request of this attempt may still be applied once nobody waits for its answer; whether the ERP refuses
    -- a second document with the same reference, so that sending again is the look-up; until when an earlier request
    -- may be alive; look-ups in a row that found nothing.
    request_life interval,
    resend_resolves boolean not null default false,
    quarantined_until timestamptz,
    absences integer not null default 0,
    document_number text,
    document_id text,
    document_url text,
    reason_code text,
    reason text,
    content_hash bytea not null check (octet_length(content_hash) = 32),
    content bytea not null,
    receipts integer not null default 0, -- how many are in the content
    doubt_since timestamptz, -- without a break, however often it was sent again
    primary key (organization_id, reimbursement_id),
    constraint only_pending_or_handled_untried check (attempt > 0 or state in ('pending', 'handled_elsewhere')),
    constraint tried_is_traceable check (
        attempt = 0 or (connector is not null and reference is not null and claimed_at is not null)
    ),
    constraint sending_has_a_holder check ((state = 'sending') = (fence is not null and claimed_by is not null)),
    constraint synced_has_a_document check (state <> 'synced' or (document_number is not null and document_id is not null)),
    constraint confirming_has_an_import check (state <> 'confirming' or document_id is not null),
    -- A check that comes to null passes, hence coalesce.
    constraint refusal_has_a_reason check (
        state not in ('rejected', 'unknown', 'handled_elsewhere') or coalesce(reason, '') <> ''
    ),
    constraint rejected_has_a_code check (state <> 'rejected' or coalesce(reason_code, '') <> ''),
    constraint unposted_has_no_document check (
        state not in ('pending', 'sending', 'rejected') or document_number is null
    )
) with (fillfactor = 60);
alter sequence item_order owned by item.seq;
create index item_in_order on item (organization_id, seq);
-- Its further columns answer how much waits, and since when, without reading the rows.
create index item_pending on item (organization_id, seq) include (currency, total_minor, approved_at) where state = 'pending';
create index item_open on item (organization_id, state, seq)
    where state in ('sending', 'confirming', 'rejected', 'unknown', 'handled_elsewhere');
create index item_synced on item (organization_id, changed_at, seq) where state = 'synced';
create index item_to_look_at on item (organization_id, due_at) where state in ('confirming', 'unknown');
create index item_left_by_run on item (organization_id, run_id, seq)
    where run_id is not null and state in ('rejected', 'unknown');
create index item_sending on item (organization_id, connector) where state = 'sending';

create function refuse_illegal_step() returns trigger language plpgsql as $$
begin
    if (old.state || '>' || new.state) not in (
        'pending>sending', 'pending>handled_elsewhere',
        'sending>synced', 'sending>confirming', 'sending>rejected', 'sending>unknown', 'sending>pending',
        'confirming>synced', 'confirming>rejected', 'confirming>unknown',
        'unknown>synced', 'unknown>confirming', 'unknown>pending', 'unknown>handled_elsewhere',
        'rejected>pending', 'rejected>handled_elsewhere'
    ) then
        raise exception 'an item cannot go from % to %', old.state, new.state using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
create trigger item_takes_legal_steps before update of state on item
    for each row when (old.state is distinct from new.state) execute function refuse_illegal_step();
create trigger item_is_kept before delete or truncate on item
    for each statement execute function refuse_change();

-- The receipts of what is posted, on their way to the ERP; where each lies stands in the item's content, in this order.
-- A trigger makes the rows, so that settling what has none costs nothing, and no way to `synced` can forget them.
-- `taken_until`: until when a worker has it; from `sending` on, something may be leaving for the ERP. `attempts` is the
-- fence of a try; `attempts_before` of them were made before a person had it tried again. `due_at` of one that was given
-- up: not before then, since what was sent may still be applied.
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
    attempts_before integer not null default 0,
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

-- What came of each attempt, and what was learnt about it later. One `settled` entry an attempt.
create table attempt_entry (
    organization_id text not null,
    reimbursement_id text not null,
    attempt integer not null check (attempt > 0),
    entry_id bigint generated always as identity,
    kind text not null check (kind in ('settled', 'confirmed', 'late', 'looked_up')),
    connector text not null,
    reference text not null,
    claimed_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    recorded_by uuid not null,
    request_hash bytea,
    outcome text not null check (
        outcome in ('posted', 'accepted', 'not_sent', 'rejected', 'unavailable', 'unknown', 'found', 'different', 'staged', 'absent')
    ),
    document_number text,
    document_id text,
    code text,
    detail text,
    primary key (organization_id, reimbursement_id, attempt, entry_id)
);
create trigger attempt_entry_is_written_once before update or delete or truncate on attempt_entry
    for each statement execute function refuse_change();

-- An organisation's posting queue: who may post for it, and until when. The fence grows with every lease.
create table lane (
    organization_id text primary key references organization,
    fence bigint not null default 0,
    leased_by uuid,
    leased_until timestamptz not null default 'epoch',
    not_before timestamptz not null default 'epoch',
    failures integer not null default 0 check (failures >= 0)
) with (fillfactor = 50);
create index lane_held on lane (leased_until) where leased_by is not null;

-- Append-only, hash-chained by organisation: `hash` covers the entry and the hash before it.
create table sync_log (
    organization_id text not null,
    entry_no bigint not null check (entry_no > 0),
    at timestamptz not null,
    actor text not null,
    actor_role text not null,
    source text not null check (source in ('kafka', 'http', 'cli', 'worker')),
    connector text,
    change text not null,
    new_state text,
    reason text,
    detail jsonb not null default '{}',
    previous_hash bytea not null check (octet_length(previous_hash) = 32),
    hash bytea not null check (octet_length(hash) = 32),
    primary key (organization_id, entry_no)
);
create trigger sync_log_is_written_once before update or delete or truncate on sync_log
    for each statement execute function refuse_change();

-- The end of each chain, so that a log cut short at its end is found, and so that appends wait for each other.
create table sync_log_head (
    organization_id text primary key,
    entry_no bigint not null default 0,
    at timestamptz not null default 'epoch',
    hash bytea not null default decode(repeat('00', 32), 'hex') check (octet_length(hash) = 32)
) with (fillfactor = 50);

-- A record that can't be accepted. The digest tells apart the records of a topic that was deleted and made again.
create table dead_letter (
    dead_letter_id bigint generated always as identity primary key,
    topic text not null,
    partition integer not null,
    kafka_offset bigint not null,
    digest bytea not null check (octet_length(digest) = 32),
    organization_id text,
    reason text not null check (
        reason in ('not_a_cloudevent', 'unknown_type', 'invalid_json', 'invalid_data', 'conflicting_content', 'too_large',
                   'wrong_topic')
    ),
    detail text not null,
    key bytea,
    value bytea,
    header_names text[] not null,
    header_values bytea[] not null,
    received_at timestamptz not null default clock_timestamp(),
    unique (topic, partition, kafka_offset, digest)
);
create trigger dead_letter_is_written_once before update or delete or truncate on dead_letter
    for each statement execute function refuse_change();

-- Events written with the change they tell of, published afterwards in this order, then deleted.
create table outbox (
    outbox_id bigint generated always as identity primary key,
    event_id uuid not null default gen_random_uuid(),
    organization_id text,
    event_type text,
    value bytea,
    dead_letter_id bigint references dead_letter,
    created_at timestamptz not null default clock_timestamp(),
    constraint an_event_or_a_dead_letter check (
        (dead_letter_id is null) = (value is not null) and (value is null) = (event_type is null)
    )
);

-- How far each partition has been read, and what became of its records. A record counts once, however often it is read.
create table intake_position (
    topic text not null,
    partition integer not null,
    next_offset bigint not null,
    approvals bigint not null default 0,
    toggles bigint not null default 0,
    duplicates bigint not null default 0,
    dead_letters bigint not null default 0,
    changed_at timestamptz not null default clock_timestamp(),
    primary key (topic, partition)
) with (fillfactor = 50);

-- Who is signed in on the screens. Of the id that the browser has, only the SHA-256 is here. `issuer` is the provider
-- that vouched: sessions of another one count for nothing. `id_token` is sealed, and serves to sign out there.
create table session (
    id_hash bytea primary key check (octet_length(id_hash) = 32),
    issuer text not null,
    actor_id text not null check (actor_id <> ''),
    role text not null check (role in ('global_admin', 'organization_admin')),
    organizations text[] not null,
    name text not null,
    id_token bytea not null,
    signed_in_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp(),
    constraint a_global_admin_needs_no_organizations check (role <> 'global_admin' or organizations = '{}')
) with (fillfactor = 70);

-- The second wall between organisations: what a person of one organisation asks for is carried out in a role that sees
-- and writes the rows of those organisations alone that the transaction names. The worker itself has no such limit.
do $$
begin
    if not exists (select from pg_roles where rolname = 'accounting_sync_organization') then
        create role accounting_sync_organization nologin;
    end if;
end
$$;

create function is_in_scope(organization text) returns boolean language sql stable parallel safe
return current_user <> 'accounting_sync_organization'
    or organization = any(string_to_array(current_setting('accounting_sync.organizations', true), ','));

grant select on organization, attempt_entry, lane to accounting_sync_organization;
grant select, insert on sync_log, outbox to accounting_sync_organization;
grant select, insert, update on connector_secret, sync_run, sync_log_head to accounting_sync_organization;
grant select, update on connector, item, receipt to accounting_sync_organization;
grant select on sequence item_order to accounting_sync_organization;

alter table organization enable row level security;
create policy own_organization on organization using (is_in_scope(organization_id));
alter table connector enable row level security;
create policy own_organization on connector using (is_in_scope(organization_id));
alter table connector_secret enable row level security;
create policy own_organization on connector_secret using (is_in_scope(organization_id));
alter table toggle_event enable row level security;
create policy own_organization on toggle_event using (is_in_scope(organization_id));
alter table sync_run enable row level security;
create policy own_organization on sync_run using (is_in_scope(organization_id));
alter table item enable row level security;
create policy own_organization on item using (is_in_scope(organization_id));
alter table receipt enable row level security;
create policy own_organization on receipt using (is_in_scope(organization_id));
alter table attempt_entry enable row level security;
create policy own_organization on attempt_entry using (is_in_scope(organization_id));
alter table lane enable row level security;
create policy own_organization on lane using (is_in_scope(organization_id));
alter table sync_log enable row level security;
create policy own_organization on sync_log using (is_in_scope(organization_id));
alter table sync_log_head enable row level security;
create policy own_organization on sync_log_head using (is_in_scope(organization_id));
alter table outbox enable row level security;
create policy own_organization on outbox using (is_in_scope(organization_id));
