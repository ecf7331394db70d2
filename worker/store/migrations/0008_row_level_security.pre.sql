-- The second wall between organisations: what a person of one organisation asks for is carried out in this role, which
-- sees and writes the rows of those organisations alone that the transaction names. The worker itself has no such limit.
-- Roles belong to the whole server. Whoever may not make one is told what to ask for.
set local lock_timeout = '2s';
set local statement_timeout = '30s';

do $$
begin
    if not exists (select from pg_roles where rolname = 'accounting_sync_organization') then
        create role accounting_sync_organization nologin;
    end if;
exception
    when duplicate_object or unique_violation then null; -- another database of this server was migrated meanwhile
    when insufficient_privilege then
        raise exception 'the role accounting_sync_organization is missing, and % may not create it', current_user
            using hint = 'As a superuser: create role accounting_sync_organization nologin; and grant it to this user.';
end
$$;

-- Whoever makes a role may give it to others but is, from PostgreSQL 16 on, not in it: it is given to the maker too.
do $$
begin
    execute format('grant accounting_sync_organization to %I', current_user);
exception
    when unique_violation then null; -- given meanwhile
    when insufficient_privilege then
        if not pg_has_role(current_user, 'accounting_sync_organization', 'member') then
            raise exception 'the role accounting_sync_organization is not granted to %', current_user
                using hint = 'As a superuser: grant accounting_sync_organization to this user.';
        end if;
end
$$;

create function is_in_scope(organization text) returns boolean language sql stable parallel safe
return current_user <> 'accounting_sync_organization'
    or organization = any(string_to_array(current_setting('accounting_sync.organizations', true), ','));

grant select on organization, receipt, attempt_entry, lane to accounting_sync_organization;
grant select, insert on sync_log, outbox to accounting_sync_organization;
grant select, insert, update on connector_secret, sync_run, sync_log_head to accounting_sync_organization;
grant select, update on connector, item to accounting_sync_organization;
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
