-- lead_outbox: one publisher at a time, so that an item's events keep their order; ends with the transaction
select pg_try_advisory_xact_lock(hashtext('accounting_sync_outbox'));

-- next_events: the oldest events, with the dead letters that some of them stand for
select o.outbox_id, o.event_id, o.organization_id, o.event_type, o.value, o.created_at,
       d.key as dead_key, d.value as dead_value, d.header_names, d.header_values,
       d.reason, d.detail, d.topic, d.partition, d.kafka_offset
from outbox o
left join dead_letter d using (dead_letter_id)
order by o.outbox_id
limit $1;

-- forget_published: what the broker has acknowledged
delete from outbox where outbox_id = any($1::bigint[]);

-- write_event: an event to publish once this transaction commits
insert into outbox (organization_id, event_type, value) values ($1, $2, $3);

-- wake_outbox: tells the publisher that something waits, once this transaction commits
select pg_notify('accounting_sync_outbox', '');
