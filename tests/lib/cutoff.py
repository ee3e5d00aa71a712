"""A restore that is killed just where something is owed to the store."""

import json
import os
import re
from pathlib import Path

from lib.mount import INFLUXFS

PRELOAD = Path(INFLUXFS).parent / "tests/preload_kill.so"

# By what status promises then, in the order of a restore: what recovery says, and whose store is there.
PROMISES = {"undoes": ("undid the restore of", "old"), "finishes": ("finished the restore of", "new"),
            "cleans": ("cleaned up after the restore of", "new")}


def killing(root, at, count):
    """The environment in which a program is killed after so many changes below root; 0: it is not, and
    their number is in the file `count`."""
    return {"LD_PRELOAD": str(PRELOAD), "KILL_ROOT": str(root), "KILL_AT": str(at), "KILL_COUNT": str(count),
            "ASAN_OPTIONS": "verify_asan_link_order=0"}


def promise_of(status):
    """The word of PROMISES in what `influxsnap status --json` prints, or None."""
    told = json.loads(status)["restore"]
    return told and re.search(r"`influxsnap recover` (\w+)", told)[1]


def cut_off(wanted, restore, steps, promise, installed):
    """Restores again and again until a kill leaves what that promise is for. restore(at): a new store,
    killed so; promise(), and installed(): whether nothing is left to do."""
    order = [None, *PROMISES]
    low, high = 1, steps - 1
    while low <= high:
        at = (low + high) // 2
        restore(at)
        found = promise()
        if found == wanted:
            return
        if order.index(found) > order.index(wanted) or (not found and installed()):
            high = at - 1
        else:
            low = at + 1
    raise AssertionError(f"no kill leaves what {wanted!r} is for")
