"""Whom one may be in the sample: one of each kind that the service tells apart."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """`what` is for whoever has to choose."""

    id: str
    name: str
    what: str
    roles: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()

    def claims(self) -> dict[str, object]:
        return {
            "sub": self.id,
            "name": self.name,
            "roles": list(self.roles),
            "organizations": list(self.organizations),
        }


PEOPLE: Mapping[str, Person] = {
    person.id: person
    for person in (
        Person("admin-global", "Gro Haugen", "global administrator", ("global_admin",)),
        Person("admin-hlf", "Henrik Lie", "administrator of hlf", ("organization_admin",), ("hlf",)),
        Person(
            "admin-blindeforbundet",
            "Berit Moen",
            "administrator of blindeforbundet",
            ("organization_admin",),
            ("blindeforbundet",),
        ),
        Person(
            "admin-both",
            "Bodil Vik",
            "administrator of hlf and blindeforbundet",
            ("organization_admin",),
            ("hlf", "blindeforbundet"),
        ),
        Person("guest", "Geir Uten", "somebody without a role"),
    )
}
