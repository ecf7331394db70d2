-- begin: somebody has just signed in
insert into session (id_hash, issuer, actor_id, role, organizations, name, id_token)
values ($1, $2, $3, $4, $5, $6, $7);

-- find: who is signed in, neither idle for too long nor signed in for too long, and whether it is time to note that they were seen
select actor_id, role, organizations, name, seen_at < clock_timestamp() - interval '1 minute' as is_to_be_noted
from session
where id_hash = $1 and issuer = $2
  and seen_at > clock_timestamp() - $3::interval and signed_in_at > clock_timestamp() - $4::interval;

-- note: somebody was seen; a session that has just expired stays so
update session set seen_at = clock_timestamp()
where id_hash = $1
  and seen_at between clock_timestamp() - $2::interval and clock_timestamp() - interval '1 minute';

-- end: signed out
delete from session where id_hash = $1 returning id_token;

-- sweep: a part of those that have expired, without waiting for anybody
delete from session
where id_hash in (
    select id_hash from session
    where seen_at <= clock_timestamp() - $1::interval or signed_in_at <= clock_timestamp() - $2::interval
    limit 1000
    for update skip locked
);
