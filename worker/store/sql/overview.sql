-- names: every organisation, in the order of the ids
select organization_id, name from organization order by organization_id;

-- names_of: the same of some organisations
select organization_id, name from organization where organization_id = any($1::text[]);

-- flags: every connector, with no more than tells how it stands; read anew for every page
select organization_id, kind, enabled, suspended_at is not null, quiesced_at is not null, changed_at from connector;

-- flags_of: the same of some organisations
select organization_id, kind, enabled, suspended_at is not null, quiesced_at is not null, changed_at
from connector
where organization_id = any($1::text[]);

-- in_words: of some connectors what people are told beside how they stand
select c.organization_id, c.title, c.suspended_reason, c.changed_by, c.reason
from unnest($1::text[], $2::text[]) as b (organization_id, kind)
join connector c using (organization_id, kind);

-- rejected_and_last_synced: of every organisation, each by one look into an index
select o.organization_id,
       (select count(*) from item i where i.organization_id = o.organization_id and i.state = 'rejected') as rejected,
       (select i.changed_at from item i where i.organization_id = o.organization_id and i.state = 'synced'
        order by i.changed_at desc limit 1) as last_synced_at
from organization o;

-- be_modest: no further processes for the statements of this transaction
select set_config('max_parallel_workers_per_gather', '0', true);
