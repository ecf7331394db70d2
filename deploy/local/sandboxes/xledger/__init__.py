"""Xledger's GraphQL API, as far as importing vouchers needs it."""
