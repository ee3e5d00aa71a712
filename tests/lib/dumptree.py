"""dump/ of a mount: paths, and which days and measurements it should list."""

import hashlib
import re
from datetime import datetime, timedelta, timezone

from lib.dumps import rfc3339

DAY = 86400 * 10**9
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def coded(name):
    """A name as the folders of dump/ have it."""
    data = name if isinstance(name, bytes) else name.encode()
    if data in (b".", b".."):
        return data.replace(b".", b"%2E")
    return b"".join(b"%%%02X" % c if c < 0x20 or c in b"/%\x7f" else bytes([c]) for c in data)


def day_name(day):
    return (EPOCH + timedelta(days=day)).strftime("%Y-%m-%d")


def moment(ns):
    """2016-06-11-00:00:00, with a fraction where there is one."""
    text = rfc3339(ns).rstrip("Z").replace("T", "-")
    whole, _, fraction = text.partition(".")
    return whole + ("." + fraction.rstrip("0") if fraction.strip("0") else "")


def file_name(form, measurement, start, end):
    tail = f"_{moment(start)}_{moment(end)}.{form}".encode()
    stem = coded(measurement)
    whole = f"_{day_name(0)}-00:00:00_{day_name(1)}-00:00:00.{form}"
    if len(stem) + len(whole) > 255:
        data = measurement if isinstance(measurement, bytes) else measurement.encode()
        stem = stem[:180] + b"~" + hashlib.sha256(data).hexdigest()[:16].encode()
    return stem + tail


def compact(name):
    """The same name without colons: m_20160611T000000Z_20160612T000000Z.json."""
    return re.sub(rb"_(\d{4})-(\d\d)-(\d\d)-(\d\d):(\d\d):(\d\d)(\.\d+)?(?=[_.])", rb"_\1\2\3T\4\5\6\7Z", name)


def policy(mnt, form, db, rp):
    return b"/".join([bytes(mnt / "dump"), form.encode(), coded(db), coded(rp)])


def path(mnt, form, db, rp, measurement, start, end):
    """A file in its policy's folder."""
    return policy(mnt, form, db, rp) + b"/" + file_name(form, measurement, start, end)


def day_path(mnt, form, db, rp, measurement, day):
    name = file_name(form, measurement, day * DAY, (day + 1) * DAY)
    return b"/".join([policy(mnt, form, db, rp), day_name(day).encode(), name])
