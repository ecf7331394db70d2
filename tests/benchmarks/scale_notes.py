"""How scale is measured, for people who read the results."""

NOTES = (
    """All rows are loaded by PostgreSQL itself, byte for byte as the intake writes them, in the order of arrival;
where there are many, indexes are made afterwards. Then the table is vacuumed and analysed.""",
    """Claims: 100 organisations are on, 100 are off, and the backlog of those that are off is the older half. The
worker's claim is its own function for one lane and four items, committed to disk. Oldest first is the query that one
would write by hand, with an index made for it in the same table, so that the worker's claims keep that index up to
date as well.""",
    """Start: from the start of the worker's process to its first request, all roles, the topics empty.""",
    """Switching: a worker with all its roles runs and the ERP takes 20 ms to answer. The time begins before the switch
is asked for, and ends when the ERP, which is in the benchmark's own process, has read a whole request, so that
one clock tells both. Switched off 0.1 s later, with requests on the wire: it ends when the connector
is recorded as off. Updating the rows is what people do whose waiting rows have a state of their own; its time ends
where the oldest could be sent.""",
    """Reads are the functions behind the screens, the API and the command line, each on a connection of its own, with
pages of 100. "Of many": all organisations of the title together have a million pending items. "Of one with all": a
single one has them.""",
    """Posting: claimed and settled by the worker's own functions, in batches; autovacuum as PostgreSQL ships it. Then
the same rows are copied into a new table of the same shape.""",
)
