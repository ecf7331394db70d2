-- bury: keeps records that can't be accepted, and queues them for the dead-letter topic; a record read again changes nothing
-- (the last three arguments are the headers of all of them, each with its record's place among the others)
with header as (
    select letter, array_agg(name order by place) as names, array_agg(content order by place) as contents
    from unnest($10::bigint[], $11::text[], $12::bytea[]) with ordinality as h (letter, name, content, place)
    group by letter
), buried as (
    insert into dead_letter
        (topic, partition, kafka_offset, digest, organization_id, reason, detail, key, value, header_names, header_values)
    select topic, partition, kafka_offset, digest, organization_id, reason, detail, key, value,
           coalesce(names, '{}'), coalesce(contents, '{}')
    from unnest($1::text[], $2::integer[], $3::bigint[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::bytea[])
        with ordinality
        as b (topic, partition, kafka_offset, digest, organization_id, reason, detail, key, value, letter)
    left join header using (letter)
    order by letter
    on conflict (topic, partition, kafka_offset, digest) do nothing
    returning dead_letter_id, organization_id
)
insert into outbox (organization_id, dead_letter_id)
select organization_id, dead_letter_id from buried order by dead_letter_id;

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
