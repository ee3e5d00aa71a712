"""Dumps of stores by influxsnap, and what influxd answers to the same question."""

import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from lib.cuts import INFLUXSNAP
from lib.files import HANG, files_in

EARLIEST, LATEST = -9223372036 * 10**9, 9223372036 * 10**9  # influxd takes no others in a query
DERIVED = ("fields.idx", "fields.idxl", "_series", "index")


class DumpError(Exception):
    """It was refused; with which words."""


def dump(store, form, db, rp, measurement, start=EARLIEST, end=LATEST):
    """form: json, csv or lp; times in nanoseconds, start included, end not."""
    done = subprocess.run([INFLUXSNAP, "-c", store, "dump", f"--format={form}", f"--from={rfc3339(start)}",
                           f"--to={rfc3339(end)}", "--", db, rp, measurement],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=HANG)
    if done.returncode == 1:
        raise DumpError(done.stderr.decode(errors="replace").strip())
    if done.returncode:
        raise AssertionError(f"influxsnap dump: exit {done.returncode}\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def rfc3339(ns):
    seconds, rest = divmod(ns, 10**9)
    # Years before 1900 and the like: strftime would not pad them.
    return datetime.fromtimestamp(seconds, timezone.utc).replace(tzinfo=None).isoformat() + f".{rest:09d}Z"


def quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def answer(influxd, form, db, rp, measurement, start=EARLIEST, end=LATEST):
    query = (f"SELECT * FROM {quoted(rp)}.{quoted(measurement)} "
             f"WHERE time >= '{rfc3339(start)}' AND time < '{rfc3339(end)}'")
    return whole(influxd.query(query, db, accept="application/csv" if form == "csv" else None))


def whole(text):
    """influxd 1.6 calls an answer of more than 10,000 rows partial although it is not; 1.8 and 1.12 do not."""
    end = b'],"partial":true}]}]}\n'
    return text.removesuffix(end) + b"]}]}]}\n" if text.endswith(end) else text


def difference(wanted, got):
    """Where two answers part, for a reader."""
    if wanted == got:
        return None
    at = next((i for i, (a, b) in enumerate(zip(wanted, got)) if a != b), min(len(wanted), len(got)))
    return f"at byte {at}: influxd {wanted[max(0, at - 120):at + 160]!r}\ndump    {got[max(0, at - 120):at + 160]!r}"


def copy_stripped(store, target):
    """What a snapshot holds of a store: influxd makes the rest anew."""
    shutil.copytree(store, target, ignore=lambda folder, names: [
        name for name in names if name in DERIVED or name.endswith((".log", ".conf", ".tmp"))])
    for folder in {Path(path).parents[1] for path in files_in(store) if "/index/" in path}:
        shard = next(p for p in (folder, *folder.parents) if p.name == "index")
        (target / shard.relative_to(store)).mkdir(exist_ok=True)
    return target
