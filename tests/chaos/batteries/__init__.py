"""One module a battery: it holds `BATTERY`, and is found by being here."""

import importlib
import pkgutil

from tests.chaos.battery import Battery


def batteries() -> list[Battery]:
    """In alphabetical order."""
    modules = [importlib.import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)]
    return [module.BATTERY for module in modules]
