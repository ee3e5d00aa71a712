"""influxsnap, and what it leaves in the state folder, read without it."""

import os
import subprocess
import urllib.parse
from pathlib import Path

from lib.files import run
from lib.mount import INFLUXFS

INFLUXSNAP = str(Path(INFLUXFS).parent / "influxsnap")


def snap(store, *words, **options):
    """influxsnap's output; an AssertionError with it if it fails."""
    return run(INFLUXSNAP, "-c", store, *words, **options)


def snap_code(store, *words, **options):
    """(exit code, output), whatever they are."""
    done = subprocess.run([INFLUXSNAP, "-c", str(store), *map(str, words)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **options)
    return done.returncode, done.stdout


class CutFile:
    """A cut's manifest file: head, files (path -> line's words), folders, removed."""

    def __init__(self, path):
        self.head, self.files, self.folders = {}, {}, {}
        self.removed, self.removed_folders = set(), set()
        lines = Path(path).read_text().splitlines()
        if lines[0] not in ("influxfs-cut 1", "influxfs-cut 2") or not lines[-1].startswith("end "):
            raise AssertionError(f"{path} is not whole")
        for line in lines[1:-1]:
            key, _, rest = line.partition(" ")
            if key == "f":
                *words, name = rest.split(" ", 9)
                self.files[urllib.parse.unquote(name)] = words
            elif key == "d":
                *words, name = rest.split(" ", 4)
                self.folders[urllib.parse.unquote(name)] = words
            elif key == "r":
                self.removed.add(urllib.parse.unquote(rest))
            elif key == "R":
                self.removed_folders.add(urllib.parse.unquote(rest))
            elif key != "l":
                self.head[key] = rest

    def places(self):
        """Where its files are retained: place -> size."""
        return {words[7]: int(words[4]) for words in self.files.values()}

    @property
    def number(self):
        return int(self.head["number"]) if "number" in self.head else -1


def chain(state):
    """The base and the numbers that follow it."""
    folder = Path(state) / "cuts"
    if not (folder / "base").exists():
        return []
    base = CutFile(folder / "base")
    numbers = sorted(int(name) for name in os.listdir(folder) if name.isdigit() and int(name) > base.number)
    found = [base] + [CutFile(folder / str(number)) for number in numbers]
    for before, cut in zip(found, found[1:]):
        if (cut.number, cut.head["parent"]) != (before.number + 1, before.head["id"]):
            raise AssertionError(f"cut {cut.number} does not follow {before.number}")
    return found


def accounts(state):
    """(missing, unaccounted): retained files that a cut names and that are not there or have another
    size, and those that are there and no cut names."""
    wanted = {}
    for cut in chain(state):
        wanted |= cut.places()
    files = Path(state) / "cuts/files"
    there = {str(path.relative_to(files)): path.stat().st_size for path in files.rglob("*") if path.is_file()}
    missing = {place for place, size in wanted.items() if there.get(place) != size}
    return missing, there.keys() - wanted.keys()
