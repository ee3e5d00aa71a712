"""Stores as people really have them: a few random conditions are put upon a store that was whole.

    mutant = Mutant(folder, random.Random(seed), index)  # the store is folder/store already
    mutant.mutate()                                      # a few times; mutant.done tells what
    mutant.unmount()

What the operator keeps elsewhere (moved shards, other disks) lies in folder/outside."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from lib.files import run
from lib.influxd import Influxd
from lib.mount import mounts_under
from lib.trees import tree

WEEK = 7 * 86400 * 10**9
MARK = "the operator's own.txt"
STRAY_FILES = ("notes.txt", ".nfs000000000032b4dd00000001", "copy of 1.tsm", "README", ".DS_Store", "1.bak")
STRAY_FOLDERS = ("lost+found", ".Trash-0", "old")


class Place(NamedTuple):
    """A shard, or with fewer words a policy or a database."""
    words: tuple

    def __str__(self):
        return "/".join(self.words)

    def meets(self, other):
        common = min(len(self.words), len(other.words))
        return self.words[:common] == other.words[:common]


class Mutant:
    def __init__(self, folder, rng, index):
        self.folder, self.rng, self.index = Path(folder), rng, index
        self.store, self.outside = self.folder / "store", self.folder / "outside"
        self.outside.mkdir()
        self.done = []          # a line for each condition
        self.places = []        # what they touched: nothing is touched twice
        self.may_refuse = False  # whether a backup may fail: no store that influxd serves whole does
        self.must_name = []     # what a backup has to name, or it fails
        self.as_nobody = False  # whether influxsnap runs as another user than influxd

    def shards(self):
        return [Place(path.parts[-3:]) for path in sorted(self.store.glob("data/*/*/*"))
                if path.name.isdigit() and path.parts[-2] != "_series" and path.is_dir() and not path.is_symlink()]

    def pick(self, levels=(3,), where=lambda place: True):
        """A shard, policy or database that no condition has touched; None."""
        free = sorted({Place(shard.words[:n]) for shard in self.shards() for n in levels})
        free = [place for place in free if not any(place.meets(other) for other in self.places) and where(place)]
        if not free:
            return None
        level = self.rng.choice(sorted({len(place.words) for place in free}))
        place = self.rng.choice([place for place in free if len(place.words) == level])
        self.places.append(place)
        return place

    def pick_file(self, suffix):
        """A file of an untouched shard, in data/ or wal/; None."""
        root = "wal" if suffix == ".wal" else "data"
        place = self.pick(where=lambda shard: list((self.store / root / str(shard)).glob(f"*{suffix}")))
        return place and self.rng.choice(sorted((self.store / root / str(place)).glob(f"*{suffix}")))

    def elsewhere(self):
        return self.outside / f"{len(self.done)}-{self.rng.randrange(1000)}"

    def say(self, words, may_refuse=False):
        self.done.append(words)
        self.may_refuse |= may_refuse
        return True

    def mutate(self):
        """One more condition, of the kinds that this store allows."""
        kinds = sorted(MUTATIONS, key=lambda kind: self.rng.random() ** (1 / MUTATIONS[kind]), reverse=True)
        return any(kind(self) for kind in kinds)

    # Links. influxd follows those for shards alone: others it passes over.

    def link(self):
        root = self.rng.choice(("data", "data", "wal"))
        place = self.pick((3, 3, 2, 1), lambda place: (self.store / root / str(place)).is_dir())
        if not place:
            return False
        path, target = self.store / root / str(place), self.elsewhere()
        shutil.move(path, target)
        (target / MARK).write_text("kept")
        relative = self.rng.random() < 0.5
        path.symlink_to(os.path.relpath(target, path.parent) if relative else target)
        return self.say(f"{root}/{place} is a{' relative' if relative else ''} link to {target.name}",
                        may_refuse=len(place.words) < 3)

    def link_to_nothing(self):
        """The disk that the shard was moved to is not there."""
        place = self.pick()
        if not place:
            return False
        path = self.store / "data" / str(place)
        shutil.rmtree(path)
        path.symlink_to(self.outside / "not mounted" / place.words[-1])
        return self.say(f"data/{place} is a link to nothing", may_refuse=True)

    def linked_file(self):
        path = self.pick_file(self.rng.choice((".tsm", ".wal")))
        if not path:
            return False
        target = self.elsewhere()
        shutil.move(path, target)
        path.symlink_to(target)
        return self.say(f"{path.relative_to(self.store)} is a link to {target.name}", may_refuse=True)

    # Mounts.

    def mount(self):
        """Another folder, another disk, or the folder itself, over a folder of the store."""
        root = self.rng.choice(("data", "data", "wal"))
        place = self.pick((3, 2, 1), lambda place: (self.store / root / str(place)).is_dir())
        if os.geteuid() or not place:
            return False
        path = self.store / root / str(place)
        kind = self.rng.choice(("bind", "tmpfs", "itself", "empty tmpfs"))
        if kind == "itself":
            run("mount", "--bind", path, path)
        else:
            other = self.elsewhere()
            other.mkdir()
            if kind != "bind":
                run("mount", "-t", "tmpfs", "-o", "size=64m,mode=0755", "tmpfs", other)
            if kind != "empty tmpfs":
                run("cp", "-aT", path, other)
                (other / MARK).write_text("kept")
            if self.rng.random() < 0.5:  # what the mount hides
                for name in path.iterdir():
                    run("rm", "-r", name)
            run("mount", "--bind", other, path)
        return self.say(f"{root}/{place} is a mount: {kind}", may_refuse=kind == "empty tmpfs")

    # What is not there, or not for everybody.

    def missing(self):
        place = self.pick((3, 3, 2))
        if not place:
            return False
        roots = self.rng.choice((("data",), ("wal",), ("data", "wal")))
        for root in roots:
            shutil.rmtree(self.store / root / str(place), ignore_errors=True)
        return self.say(f"{place} is missing in {' and '.join(roots)}", may_refuse=True)

    def replaced_by_file(self):
        place = self.pick()
        if not place:
            return False
        shutil.rmtree(self.store / "data" / str(place))
        (self.store / "data" / str(place)).write_text("a file")
        return self.say(f"data/{place} is a file", may_refuse=True)

    def unreadable(self):
        place = self.pick((3, 2, 1))
        if os.geteuid() or not place:
            return False
        root = self.rng.choice(("data", "wal"))
        path = self.store / root / str(place)
        if not path.is_dir():
            return False
        if not self.as_nobody:  # all else may be read: influxd makes some folders for itself alone
            run("chmod", "-R", "a+rX", self.store, self.outside)
        path.chmod(0o700)
        self.as_nobody = True
        return self.say(f"{root}/{place} may be read by root only, and influxsnap runs as nobody", may_refuse=True)

    # What somebody left there.

    def stray(self):
        folders = [path for path in (self.store, self.outside) for path in sorted(path.glob("**/"))
                   if path.is_dir() and not {"_series", "index"} & set(path.parts)]
        folder = self.rng.choice([path for path in folders if path not in (self.store, self.outside)])
        if self.rng.random() < 0.7:
            name = self.rng.choice(STRAY_FILES)
            (folder / name).write_text("stray")
        else:
            name = self.rng.choice(STRAY_FOLDERS)
            (folder / name).mkdir(exist_ok=True)
            (folder / name / "file").write_text("stray")
        return self.say(f"{(folder / name).relative_to(self.folder)} is a stray")

    def renamed(self):
        path = self.pick_file(".tsm")
        if not path:
            return False
        suffix = self.rng.choice((".bad", ".tmp", ".bak"))
        path.rename(f"{path}{suffix}")
        if suffix == ".bad":
            self.must_name.append(f"{path.relative_to(self.store)}{suffix}")
        return self.say(f"{path.relative_to(self.store)} has {suffix} behind its name")

    # Ids.

    def id_reused(self):
        place = self.pick()
        if not place:
            return False
        other = Place((self.rng.choice(("unknown", place.words[0])), "unknown rp", place.words[2]))
        moved = self.rng.random() < 0.5
        for root in ("data", "wal"):
            source, target = self.store / root / str(place), self.store / root / str(other)
            if source.is_dir():
                target.parent.mkdir(parents=True, exist_ok=True)
                (shutil.move if moved else shutil.copytree)(source, target)
        self.must_name.append(str(other))
        return self.say(f"{place} was {'moved' if moved else 'copied'} to {other}", may_refuse=True)

    def begun_anew(self):
        """meta.db was lost; influxd counts ids from 1 again, and so uses folders that are there."""
        if self.done:
            return False
        self.places += self.shards()
        shutil.rmtree(self.store / "meta")
        with Influxd(self.store, index=self.index) as influxd:
            influxd.run("CREATE DATABASE anew")
            weeks = range(2400, 2400 + self.rng.randint(1, 5))
            influxd.write([f"x v={week} {week * WEEK + 1}" for week in weeks], "anew")
            influxd.stop()
        for name in ("influxdb.conf", "influxd.log"):
            (self.store / name).unlink()
        return self.say("meta.db was lost and begun anew", may_refuse=True)

    # Damage.

    def damaged(self):
        suffix, kind = self.rng.choice(((".tsm", "empty"), (".tsm", "flipped"), (".tsm", "cut off"),
                                        (".tombstone", "cut off"), (".wal", "cut off"), (".wal", "torn")))
        path = self.pick_file(suffix)
        if not path:
            return False
        data = path.read_bytes()
        at = self.rng.randrange(len(data)) if data else 0
        new = {"empty": b"", "flipped": data[:at] + bytes([data[at] ^ 1 << self.rng.randrange(8)]) + data[at + 1:],
               "cut off": data[:at], "torn": data + b"\1\0\0\1\0torn"}[kind] if data else b""
        path.write_bytes(new)
        if suffix == ".tsm" and kind != "flipped":
            self.must_name.append(str(path.relative_to(self.store)))
        return self.say(f"{path.relative_to(self.store)} is {kind} (at byte {at} of {len(data)})")

    # For the test.

    def picture(self):
        """All that is the operator's: the store, but for what influxfs keeps in its own folder, and
        what lies elsewhere; links not followed, mounts looked into."""
        found = {f"outside/{name}": what for name, what in tree(self.outside).items()}
        for name, what in tree(self.store).items():
            if name.split("/")[0] != "influxfs":
                found[f"store/{name}"] = what
        return found

    def copy(self, folder):
        """The same for an influxd that may write and rename: links lead to the copies, mounts are
        plain folders, which makes no difference to it. Returns the store."""
        folder.mkdir()
        for part in (self.store, self.outside):
            run("cp", "-aT", part, folder / part.name)
        shutil.rmtree(folder / "store/influxfs", ignore_errors=True)
        for path in folder.glob("**/*"):
            if path.is_symlink() and os.readlink(path).startswith(f"{self.outside}/"):
                target = folder / "outside" / os.path.relpath(os.readlink(path), self.outside)
                path.unlink()
                path.symlink_to(target)
        return folder / "store"

    def unmount(self):
        """Wherever a restore has taken them."""
        for point in mounts_under(self.folder):
            run("umount", "-l", point)


# How often each is taken, compared with the others: less often what a backup has to refuse.
MUTATIONS = {Mutant.link: 4, Mutant.link_to_nothing: 1, Mutant.linked_file: 1, Mutant.mount: 4, Mutant.missing: 2,
             Mutant.replaced_by_file: 1, Mutant.unreadable: 2, Mutant.stray: 4, Mutant.renamed: 3, Mutant.id_reused: 1,
             Mutant.begun_anew: 1, Mutant.damaged: 5}
