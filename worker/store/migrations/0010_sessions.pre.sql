set local lock_timeout = '2s';
set local statement_timeout = '120s';

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
