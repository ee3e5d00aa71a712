"""Nothing may remain of a test or of the demo: neither mounts, nor processes, nor its folder."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from lib.files import PATIENCE, within
from lib.mount import has_ended, mounts_under

# Children inherit it, however they detach themselves: so they are known as ours.
FOLDER_VARIABLE = "INFLUXFS_TEST_FOLDER"


def is_in(pid, session):
    try:
        return os.getsid(pid) == session
    except ProcessLookupError:
        return False


def processes_of(folder, session=None):
    """(pid, command) of the processes that were started with this folder as theirs, or are in that session."""
    wanted = f"{FOLDER_VARIABLE}={folder}".encode()
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            ours = is_in(int(name), session) or wanted in Path("/proc", name, "environ").read_bytes().split(b"\0")
            if ours and int(name) != os.getpid() and not has_ended(int(name)):
                command = Path("/proc", name, "cmdline").read_bytes().replace(b"\0", b" ")
                found.append((int(name), command.decode(errors="replace").strip()))
        except OSError:
            continue  # it has ended
    return found


def wait_for_end(folder, session, seconds):
    within(lambda: not processes_of(folder, session), seconds * PATIENCE)


def clean_up(folder, session=None):
    """Unmounts and ends what is left, and removes the folder. Returns what it had to end."""
    left = [f"mount {point}" for point in mounts_under(folder)]
    for point in mounts_under(folder):
        subprocess.run(["umount", "-l", point], check=False)
    wait_for_end(folder, session, 30)  # a daemon that was unmounted just now is on its way out
    for pid, command in processes_of(folder, session):
        left.append(f"process {pid} {command}")
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    wait_for_end(folder, session, 5)
    shutil.rmtree(folder, ignore_errors=True)
    return left
