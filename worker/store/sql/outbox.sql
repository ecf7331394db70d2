-- lead_outbox: one publisher at a time, so that an item's events keep their order; ends with the transaction
select pg_try_advisory_xact_lock(hashtext('accounting_sync_outbox'));

-- next_events: the oldest events, with the dead letters that some of them stand for; no more once those before weigh so many bytes
select outbox_id, event_id, organization_id, event_type, value, created_at,
       dead_key, dead_value, header_names, header_values, reason, detail, topic, partition, kafka_offset
from (
    select o.outbox_id, o.event_id, o.organization_id, o.event_type, o.value, o.created_at,
           d.key as dead_key, d.value as dead_value, d.header_names, d.header_values,
           d.reason, d.detail, d.topic, d.partition, d.kafka_offset,
           sum(coalesce(octet_length(d.value), 0) + coalesce(pg_column_size(d.header_values), 0)) over before as weight_before
    from outbox o
    left join dead_letter d using (dead_letter_id)
    window before as (order by o.outbox_id rows between unbounded preceding and 1 preceding)
    order by o.outbox_id
    limit $1
) weighed
where coalesce(weight_before, 0) < $2
order by outbox_id;

-- forget_published: what the broker has acknowledged
delete from outbox where outbox_id = any($1::bigint[]);

-- write_event: an event to publish once this transaction commits
insert into outbox (organization_id, event_type, value) values ($1, $2, $3);

-- wake_outbox: tells the publisher that something waits, once this transaction commits
select pg_notify('accounting_sync_outbox', '');
