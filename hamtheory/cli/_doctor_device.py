"""What JAX says of itself, and a limit that it computes, for `hamtheory doctor`.

It is run as a process of its own, which an installation that is broken may end, or stop for ever.
"""

import json
import time
from typing import Any


def state() -> dict[str, Any]:
    """The devices of JAX, its precision and its cache, as they are where nobody has changed them."""
    import jax

    return {
        "devices": [f"{device.platform}:{device.id} {device.device_kind}".strip() for device in jax.devices()],
        "float64": bool(jax.config.values["jax_enable_x64"]),
        "compilation_cache": jax.config.values["jax_compilation_cache_dir"],
    }


def check() -> dict[str, Any]:
    """The limit of the self-check by the device engine, and its time, most of which is compiling."""
    import hamtheory as ht

    from ._doctor import ALPHA, question

    problem, geo = question(), ht.HAM(alpha=[ALPHA])  # many of one
    started = time.monotonic()
    limit = ht.solve_limits(problem, geo)
    return {"seconds": time.monotonic() - started, "theta": limit.theta[0].tolist()}


if __name__ == "__main__":
    for part in (state, check):
        print(json.dumps(part()), flush=True)
