"""Under which `trRegNumber` each voucher goes into the import."""

from connectors.contract import Attempted
from connectors.xledger.documents import registration_numbers

_REMEMBERED = 20_000


class Registrations:
    """Two vouchers that stand in the import under one number would be one to Xledger. So none takes a number that one
    of the latest of this connector has; those of an earlier process are not known here."""

    def __init__(self) -> None:
        self._owners: dict[str, tuple[str, int]] = {}

    def number_of(self, attempted: Attempted) -> str:
        owner, numbers = (attempted.reference, attempted.attempt), registration_numbers(attempted)
        number = next((one for one in numbers if self._owners.get(one, owner) == owner), numbers[0])
        self._owners[number] = owner
        if len(self._owners) > _REMEMBERED:
            del self._owners[next(iter(self._owners))]
        return number
