"""The reference under which the ERP knows a reimbursement: the key of every look-up, and of the ERP's own
duplicate check."""

import hashlib

LONGEST_REFERENCE = 35
"""Business Central's `vendorInvoiceNumber` takes 35 characters; Xledger's `invoiceNumber` takes more."""

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_DIGEST_CHARACTERS = 13
_DIGEST_BYTES = 9
_SHIFTS = tuple(8 * _DIGEST_BYTES - 5 * place for place in range(1, _DIGEST_CHARACTERS + 1))
_READABLE_CHARACTERS = LONGEST_REFERENCE - _DIGEST_CHARACTERS - 1


def reference_of(organization_id: str, reimbursement_id: str) -> str:
    """The reimbursement's id as a bookkeeper knows it, cut to 21 characters, `-`, and 65 bits over both ids.

    The digest keeps two organisations apart that share a company, and ids apart that differ only after the cut
    or in case (Business Central stores the number in capitals).
    """
    return f"{reimbursement_id[:_READABLE_CHARACTERS]}-{_digest(organization_id, reimbursement_id)}"


def _digest(*parts: str) -> str:
    # Each part carries its length: ("a", "bc") and ("ab", "c") must not meet.
    framed = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
    number = int.from_bytes(hashlib.sha256(framed).digest()[:_DIGEST_BYTES], "big")
    return "".join([_CROCKFORD[number >> shift & 31] for shift in _SHIFTS])
