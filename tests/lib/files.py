"""Small helpers with files, and waiting for things."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
FIXTURES = CHECKOUT / "tests/fixtures"
STORE_FOLDERS = ("meta", "data", "wal")


# A machine that does other things as well can be many times slower than a quiet one: limits are
# meant for that one, and this many times as long must pass before something counts as hanging.
PATIENCE = 8
HANG = 75 * PATIENCE  # no program that a test runs takes so many seconds, unless it hangs


def within(condition, seconds, step=0.02):
    """What condition() returned as soon as that is true, or what it returns after so many seconds. Asking, which
    may take a process, takes half of the time at most: others have work to do meanwhile."""
    end = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        value = condition()
        now = time.monotonic()
        if value or now >= end:
            return value
        time.sleep(max(step, now - asked))


def wait_until(condition, timeout, what, step=0.02):
    """Returns what condition() returned as soon as that is true. The timeout: seconds that are
    plenty on a quiet machine; a minute at least, since a disk that others write to can stand still
    for longer than most things take."""
    timeout = max(timeout, 60) * PATIENCE
    value = within(condition, timeout, step)
    if not value:
        raise TimeoutError(f"waited {timeout} s for {what}")
    return value


def files_in(*folders):
    """All files' paths; folders that vanish meanwhile are passed over."""
    return [os.path.join(place, name) for folder in folders for place, _, names in os.walk(folder) for name in names]


def sizes_in(*folders):
    """The bytes of each of these files; one that vanishes meanwhile, as with a running server, is passed over."""
    sizes = []
    for path in files_in(*folders):
        try:
            sizes.append(os.path.getsize(path))
        except FileNotFoundError:
            continue
    return sizes


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run(*command, **options):
    """Runs a command as a user would; its output is in the error if it fails."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **options)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


def slow_copy(source, target, seconds):
    """Copies evenly over that many seconds, in a process of its own: now.tar is one
    snapshot for each process that reads it, and every copy is to be a new one.
    Returns when (time.monotonic) the source had been looked up and opened."""
    return float(run(sys.executable, __file__, source, target, seconds))


def _copy_evenly(source, target, seconds, piece=16384):
    with open(source, "rb", buffering=0) as reader, open(target, "wb") as writer:
        size = os.fstat(reader.fileno()).st_size
        start = time.monotonic()
        done = 0
        while data := reader.read(piece):
            writer.write(data)
            done += len(data)
            time.sleep(max(0, start + seconds * done / size - time.monotonic()))
    if done != size:
        raise SystemExit(f"{source}: stat said {size} bytes, {done} were read")
    print(start)


if __name__ == "__main__":
    _copy_evenly(sys.argv[1], sys.argv[2], float(sys.argv[3]))
