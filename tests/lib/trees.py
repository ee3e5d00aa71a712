"""What lies in a folder, to the last byte: for telling whether anything was changed."""

import hashlib
import os
import pwd
import stat
from pathlib import Path

from lib.files import STORE_FOLDERS


def tree(folder, times=True, owners=True):
    """path -> what it is, for everything below the folder. Without times those of folders are
    left out: a snapshot knows them to the second only."""
    found = {}
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(place, name)
            try:
                found[os.path.relpath(path, folder)] = entry(path, times, owners)
            except FileNotFoundError:
                continue  # it went while we looked
    return found


def entry(path, times, owners):
    there = os.lstat(path)
    what = [stat.filemode(there.st_mode)]
    if owners:
        what.append((there.st_uid, there.st_gid))
    if times or not stat.S_ISDIR(there.st_mode):
        what.append(there.st_mtime_ns)
    if stat.S_ISREG(there.st_mode):
        what.append((there.st_size, hashlib.sha256(Path(path).read_bytes()).hexdigest()))
    elif stat.S_ISLNK(there.st_mode):
        what.append(os.readlink(path))
    return tuple(what)


def store_tree(root, **how):
    """The three folders of a store."""
    return {f"{folder}/{name}": what for folder in STORE_FOLDERS
            for name, what in tree(Path(root) / folder, **how).items()}


def owned_by(owner, found):
    """The same with another (uid, gid) all over."""
    return {name: (what[0], owner, *what[2:]) for name, what in found.items()}


def owners_in(found):
    return {what[1] for what in found.values()}


def owner_of(path):
    there = os.lstat(path)
    return there.st_uid, there.st_gid


def owner_of_new():
    """Whose is what was restored where no folder was, and without owner=: user influxdb's where there
    is one and we may give files away, else ours. Machines with Debian's influxdb have that user."""
    try:
        user = pwd.getpwnam("influxdb")
    except KeyError:
        user = None
    return (user.pw_uid, user.pw_gid) if user and os.geteuid() == 0 else (os.geteuid(), os.getegid())


def whole_tree(root, **how):
    """A store and all that lies beside its folders, save what influxfs keeps in its own one."""
    return {name: what for name, what in tree(root, **how).items() if name.split("/")[0] != "influxfs"}


def litter(root):
    """What a restore may not leave in or beside a store's folders."""
    kept = {f"{folder}.before-restore" for folder in STORE_FOLDERS}
    own = {"meta", "data", "wal", "influxfs", "influxdb.conf", "influxd.log"} | kept
    found = [name for name in os.listdir(root) if name not in own]
    for folder in STORE_FOLDERS:
        place = Path(root) / folder
        names = os.listdir(place) if place.is_dir() else ()
        found += [f"{folder}/{name}" for name in names if name in (".influxfs", "raft.db") or "restor" in name]
    return sorted(found)


def difference(before, after):
    """For the words of a failed test."""
    return "\n".join(f"{name}: {before.get(name)} -> {after.get(name)}"
                     for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name))
