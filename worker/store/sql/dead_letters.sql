-- bury: keeps records that can't be accepted, and queues them for the dead-letter topic; a record read again changes nothing
with buried as (
    insert into dead_letter
        (topic, partition, kafka_offset, digest, organization_id, reason, detail, key, value, header_names, header_values)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    on conflict (topic, partition, kafka_offset, digest) do nothing
    returning dead_letter_id, organization_id
)
insert into outbox (organization_id, dead_letter_id) select organization_id, dead_letter_id from buried;

-- list_dead_letters: newest first, below a given id
select dead_letter_id, topic, partition, kafka_offset, organization_id, reason, detail, received_at,
       octet_length(value) as size
from dead_letter
where dead_letter_id < $1
order by dead_letter_id desc
limit $2;

-- show_dead_letter: one, whole
select dead_letter_id, topic, partition, kafka_offset, organization_id, reason, detail, received_at,
       octet_length(value) as size, key, value, header_names, header_values
from dead_letter
where dead_letter_id = $1;
