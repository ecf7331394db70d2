"""Business Central's API v2.0, as far as purchase invoices need it."""
