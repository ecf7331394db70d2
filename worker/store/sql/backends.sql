-- end_silent: sessions of workers whose process has kept them waiting for it for so long in the middle of a statement. To
-- PostgreSQL such a one is neither idle in its transaction nor at work: none of its own time-outs would ever end it
select pid, pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and usename = current_user and application_name = $1 and pid <> pg_backend_pid()
  and state = 'active' and wait_event_type = 'Client' and state_change < clock_timestamp() - $2::interval;
