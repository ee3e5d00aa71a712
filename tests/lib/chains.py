"""Chains of snapshots packed by hand from the folders of a store: base.tar, 0.tar, 1.tar, …"""

import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
from pathlib import Path

from lib.stores import HandmadeStore, tombstone, tsm, wal_entry

WANTED = (".tsm", ".tombstone", ".wal", "meta.db")


def names_of(root):
    """What a snapshot holds of a store: name -> stat, folders before what is in them."""
    found = {}
    for top in ("meta", "data", "wal"):
        for place, folders, files in os.walk(Path(root) / top):
            name = os.path.relpath(place, root)
            depth = name.count("/")
            folders[:] = sorted(folder for folder in folders if folder not in ("_series", ".influxfs") and
                                (depth < 3 or (depth == 3 and top == "data" and folder == "index")))
            found[name] = os.stat(place)
            if depth == 4:
                continue
            for file in sorted(files):
                if file.endswith(WANTED):
                    found[f"{name}/{file}"] = os.stat(Path(place) / file)
    return found


def pack(root, target, names, **manifest):
    """The tar of these names (name -> stat) of the store, all in order."""
    files = [{"name": name, "size": there.st_size, "index": 1, "mtime_ns": there.st_mtime_ns}
             for name, there in names.items() if stat.S_ISREG(there.st_mode)]
    head = {"version": 1, "id": None, "kind": "full", "parent": None, "number": None, "created": "2016-06-11T12:00:00Z",
            "host": "test", "index": 1, "skew_ns": 0, "files": files, "removed": [], "removed_folders": [],
            "left_out": []} | manifest
    text = json.dumps(head).encode()
    sums = [f"{hashlib.sha256(text).hexdigest()}  manifest\n"]
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, "manifest", text)
        for name, there in names.items():
            info = tarfile.TarInfo(name)
            info.mode, info.mtime = stat.S_IMODE(there.st_mode), int(there.st_mtime)
            if stat.S_ISDIR(there.st_mode):
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
                continue
            content = (Path(root) / name).read_bytes()
            sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        add(tar, "SHA256SUMS", "".join(sums).encode())
    return target


def add(tar, name, content):
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o400
    tar.addfile(info, io.BytesIO(content))


def same(one, other):
    if stat.S_ISDIR(one.st_mode):
        return (one.st_mode, int(one.st_mtime)) == (other.st_mode, int(other.st_mtime))
    return (one.st_mode, one.st_size, one.st_mtime_ns) == (other.st_mode, other.st_size, other.st_mtime_ns)


class Chain:
    """chain.tars holds base.tar, 0.tar, …; chain.states[name] is the store as it was then. Made of
    the folders that grow(root, step) makes of one store, step by step."""

    def __init__(self, folder, steps, grow, name="chain"):
        self.name = name
        self.tars = folder / "tars"
        self.tars.mkdir(parents=True)
        self.states, self.ids = {}, []
        root, before = folder / "growing", None
        for step in range(steps + 1):
            grow(root, step)
            self.add(root, step - 1, before, folder)
            before = names_of(root)

    def add(self, root, number, before, folder):
        now = names_of(root)
        name = "base" if number < 0 else str(number)
        self.ids.append(f"{self.name}-{number + 1}")
        self.states[name] = folder / f"state-{name}"
        shutil.copytree(root, self.states[name])
        if number < 0:
            pack(root, self.tars / "base.tar", now, id=self.ids[-1], chain=self.name)
            return
        changed = {file: there for file, there in now.items() if file not in before or not same(there, before[file])}
        gone = [file for file in before if file not in now]
        pack(root, self.tars / f"{number}.tar", changed, kind="incremental", id=self.ids[-1], chain=self.name,
             parent=self.ids[-2], number=number,
             removed=[file for file in gone if stat.S_ISREG(before[file].st_mode)],
             removed_folders=[file for file in gone if stat.S_ISDIR(before[file].st_mode)])

    def full(self, number, target):
        """The whole store as of a number, as at/N.tar has it."""
        state = self.states[str(number)]
        return pack(state, target, names_of(state), id=self.ids[number + 1], chain=self.name, number=number)

    def order(self):
        """As a shell's *.tar sorts them."""
        return sorted(os.listdir(self.tars))


class Growing:
    """A store composed by hand that changes in each step in another way: grow(root, step)."""

    def __init__(self, size=2000):
        self.size = size

    def __call__(self, root, step):
        if step == 0:
            self.store = HandmadeStore(root)
            for _ in range(2):
                self.shard()
            (root / "data/db/autogen/1/000000001-000000001.tombstone").write_bytes(tombstone("stone"))
        elif step == 1:
            (root / "data/db/autogen/1/000000001-000000001.tombstone").unlink()
            (root / "data/db/autogen/2").chmod(0o750)
        elif step == 2:
            for folder in ("data", "wal"):
                shutil.rmtree(root / folder / "db/autogen/2")
            self.store.databases["db"]["autogen"].remove(2)
        if step:
            self.shard()
            with open(root / "wal/db/autogen/1/_00001.wal", "ab") as segment:
                segment.write(wal_entry(step))
        self.store.write_meta()
        # It may have its size again, within one tick of the clock.
        os.utime(root / "meta/meta.db", ns=(0, 10**18 + step))

    def shard(self):
        content = tsm(bytes([self.store.last_id]) * self.size)
        self.store.shard(tsm={"000000001-000000001.tsm": content}, wal={"_00001.wal": wal_entry(1)}, index=True)
