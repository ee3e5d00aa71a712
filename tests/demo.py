#!/usr/bin/env python3
"""The whole of influxfs in half a minute: a live InfluxDB is backed up by copying a file,
wiped, and restored by copying the file back. Everything happens in a temporary folder."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True

from lib.files import STORE_FOLDERS, wait_until  # noqa: E402
from lib.influxd import Influxd, tsm_files  # noqa: E402
from lib.leftovers import FOLDER_VARIABLE, clean_up  # noqa: E402
from lib.mount import INFLUXFS  # noqa: E402

NOON = 1465646400  # 2016-06-11T12:00:00Z
QUERIES = (
    "SELECT COUNT(value), SUM(value) FROM cpu GROUP BY host",
    "SELECT * FROM cpu WHERE time >= '2016-06-11T12:00:00Z' AND time < '2016-06-11T12:30:00Z'",
    "SELECT * FROM disk",
    "SELECT * FROM events",
    "SHOW RETENTION POLICIES",
)


def say(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def shell(command, folder):
    """Runs a command line as a newcomer would type it, and shows what it prints."""
    print(f"$ {command}", flush=True)
    done = subprocess.run(["sh", "-c", command], cwd=folder, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"demo: that failed with exit code {done.returncode}")


def write_samples(influxd):
    """Some points in files; some of these overwritten and deleted, and new ones, in the WAL only."""
    influxd.run("CREATE DATABASE demo")
    influxd.write([f"cpu,host=web{host} value={(i * 7 + host) % 100} {(NOON + i * 10) * 10**9}"
                   for i in range(2000) for host in (1, 2, 3)], "demo")
    influxd.write([f"disk,host=web1 free={500 - i}i {(NOON + i) * 10**9}" for i in range(20)], "demo")
    wait_until(lambda: tsm_files(influxd.root), 30, "influxd to flush")
    influxd.write([f"cpu,host=web1 value=-1 {(NOON + i * 10) * 10**9}" for i in range(50)], "demo")
    influxd.run(f"DELETE FROM cpu WHERE host = 'web2' AND time < {(NOON + 600) * 10**9}", "demo")
    influxd.write([f'events text="written a moment ago" {(NOON + 9000) * 10**9}'], "demo")


def answers(influxd):
    return [influxd.query(query, "demo") for query in QUERIES]


def compare(before, after):
    for query, old, new in zip(QUERIES, before, after):
        print(f"  {'same' if old == new else 'DIFFERENT'}  {len(new):6} bytes  {query}")
    if before != after:
        sys.exit("demo: the restored server answers differently")


def demo(folder, influxd):
    say("A private influxd with data: in files, overwritten, deleted, and in the WAL only")
    influxd.start()
    write_samples(influxd)
    before = answers(influxd)
    print(f"  {len(before)} queries answered, {sum(map(len, before))} bytes")

    say("Mount its store; influxd runs on and is not asked")
    (folder / "mnt").mkdir()
    shell("influxfs influxdb/influxdb.conf mnt", folder)
    shell("ls mnt mnt/snapshots", folder)

    say("Back it up: copy a file")
    shell("cp mnt/snapshots/now.tar .", folder)
    shell("tar tf now.tar", folder)

    say("Stop influxd and lose everything")
    influxd.stop()
    shell("rm -rf " + " ".join(f"influxdb/{name}" for name in STORE_FOLDERS), folder)
    shell("ls influxdb", folder)

    say("Restore it: copy the file back")
    shell("cp now.tar mnt/restore/", folder)
    shell("tail -n 1 mnt/restore/log", folder)
    shell("ls influxdb", folder)

    say("Start influxd again and ask the same")
    influxd.start()
    compare(before, answers(influxd))
    shell("umount mnt", folder)
    say("Every answer is the same, byte for byte.")


def main():
    folder = Path(tempfile.mkdtemp(prefix="influxfs-demo-"))
    os.environ[FOLDER_VARIABLE] = str(folder)
    os.environ["PATH"] = f"{Path(INFLUXFS).resolve().parent}:{os.environ['PATH']}"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    influxd = Influxd(folder / "influxdb", cache_snapshot_memory_size=20000)
    try:
        demo(folder, influxd)
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")
    finally:
        influxd.kill()
        clean_up(folder)


if __name__ == "__main__":
    main()
