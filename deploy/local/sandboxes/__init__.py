"""Two ERPs to post to on one machine: strict stand-ins whose ledger files say what really happened at the
ERP."""
