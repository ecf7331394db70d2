"""Time that passes: nobody sets it, and it goes on while the machine sleeps."""

import time


def passing() -> float:
    """Seconds from some moment on. `time.monotonic` stands still while a machine is suspended, and leases do not."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
