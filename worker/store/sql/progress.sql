-- standing_lanes: what each lane would send next, where it is free to: lanes of this worker with nothing on the wire, and (if asked for) lanes of nobody
select l.organization_id, l.leased_until > clock_timestamp() as is_held, l.fence, head.seq, head.attempt
from lane l
join connector c on c.organization_id = l.organization_id and c.enabled and c.suspended_at is null
cross join lateral (
    (select seq, attempt from item
     where organization_id = l.organization_id and state = 'pending' and due_at <= clock_timestamp()
       and seq <= c.released_through
     order by seq limit 1)
    union all
    (select seq, attempt from item
     where organization_id = l.organization_id and state = 'pending' and due_at <= clock_timestamp()
       and seq > greatest(c.released_through, c.enabled_mark)
     order by seq limit 1)
    order by seq
    limit 1
) head
where l.not_before <= clock_timestamp()
  and case when l.leased_until > clock_timestamp()
           then l.leased_by = $1
                and not exists (select from item i
                                where i.organization_id = l.organization_id and i.state = 'sending' and i.fence = l.fence)
           else $2 end;

-- positions: how far each partition has been stored, and when a batch of it last was
select topic, partition, next_offset, changed_at from intake_position where topic = any($1::text[]);

-- oldest_event: what is to be published next
select min(outbox_id) from outbox;
