-- open_run: the run under way
select organization_id, run_id, kind, connector, requested_by, mark, started_at, finished_at, result, synced, rejected,
       unknown, remaining
from sync_run
where organization_id = $1 and finished_at is null;

-- start_run: takes everything up to the mark
insert into sync_run (organization_id, kind, connector, requested_by, mark)
values ($1, $2, $3, $4, $5)
returning organization_id, run_id, kind, connector, requested_by, mark, started_at, finished_at, result, synced, rejected,
          unknown, remaining;

-- widen_run: the run under way takes also what has arrived since
update sync_run set mark = greatest(mark, $2) where organization_id = $1 and finished_at is null
returning organization_id, run_id, kind, connector, requested_by, mark, started_at, finished_at, result, synced, rejected,
          unknown, remaining;

-- release: how far runs have released
update connector set released_through = $3 where (organization_id, kind) = ($1, $2);

-- remaining: what the run has still to bring to an end
select (select count(*) from item i where i.organization_id = r.organization_id and i.state = 'pending' and i.seq <= r.mark)
     + (select count(*) from item i
        where i.organization_id = r.organization_id and i.state in ('sending', 'confirming') and i.run_id = r.run_id)
from sync_run r
where (r.organization_id, r.run_id) = ($1, $2);

-- is_done: whether nothing of the run is left
select not exists (select from item i where i.organization_id = $1 and i.state = 'pending' and i.seq <= $3)
   and not exists (select from item i
                   where i.organization_id = $1 and i.state in ('sending', 'confirming') and i.run_id = $2);

-- finish_run: its counts stay as they are; answers no row where it ended before, or was widened since it was read
update sync_run
set finished_at = clock_timestamp(), result = $3, remaining = $4
where (organization_id, run_id) = ($1, $2) and finished_at is null and mark = $5
returning organization_id, run_id, kind, connector, requested_by, mark, started_at, finished_at, result, synced, rejected,
          unknown, remaining;

-- newest_runs: newest first, before a given start and id
select organization_id, run_id, kind, connector, requested_by, mark, started_at, finished_at, result, synced, rejected,
       unknown, remaining
from sync_run
where organization_id = $1 and (started_at, run_id) < ($2, $3)
order by started_at desc, run_id desc
limit $4;

-- oldest_runs: the other way round, after a given start and id
select organization_id, run_id, kind, connector, requested_by, mark, started_at, finished_at, result, synced, rejected,
       unknown, remaining
from sync_run
where organization_id = $1 and (started_at, run_id) > ($2, $3)
order by started_at, run_id
limit $4;

-- show_run: by its id alone, for the command line
select organization_id, run_id, kind, connector, requested_by, mark, started_at, finished_at, result, synced, rejected,
       unknown, remaining
from sync_run
where run_id = $1;
