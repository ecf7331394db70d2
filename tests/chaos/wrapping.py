"""Wraps a function of the worker by its name, wherever it was imported to. Nothing in the product knows of this."""

import importlib
import sys
from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]
"""Any coroutine function or method of the product."""


def function_at(target: str) -> Function:
    """`target` is `module:name` or `module:Class.name`. Raises AttributeError where the product has no such name."""
    holder, name = _place(target)
    function: Function = getattr(holder, name)
    return function


def wrap(target: str, make: Callable[[Function], Function]) -> None:
    """Puts `make(original)` in the original's place, also in modules that imported it by name."""
    holder, name = _place(target)
    original = getattr(holder, name)
    wrapper = make(original)
    setattr(holder, name, wrapper)
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").split(".")[0] in {"worker", "connectors"}:
            for attribute in [own for own, value in vars(module).items() if value is original]:
                setattr(module, attribute, wrapper)


def _place(target: str) -> tuple[Any, str]:
    module, _, path = target.partition(":")
    *holders, name = path.split(".")
    place: Any = importlib.import_module(module)
    for holder in holders:
        place = getattr(place, holder)
    return place, name
