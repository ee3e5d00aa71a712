"""Archives of a store in a folder that is a remote for rclone: objects with their receipts, made by
hand, as influxfs-archive would have uploaded them."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

STORE = "0123456789abcdef0123456789abcdef"


def receipt_text(fields):
    """The text of a receipt, with the sum over all that stands before that."""
    body = json.dumps(fields, separators=(",", ":"))[:-1]
    return f'{body},"sha256":"{hashlib.sha256(body.encode()).hexdigest()}"}}\n'


def manifest_of(tar):
    with tarfile.open(fileobj=io.BytesIO(tar)) as members:
        return json.load(members.extractfile("manifest"))


def pieces(content, count):
    """The same bytes in so many pieces."""
    size = -(-len(content) // count)
    return [content[at:at + size] for at in range(0, len(content), size)]


class Archives:
    """archives = Archives(folder); run = archives.full("2016-06-11", tar); archives.number("2016-06-12", tar)

    Each call adds a run of one store and returns its receipt: a dict, which `write` writes."""

    def __init__(self, root, store=STORE, host="db1", databases=("db",)):
        self.root, self.store, self.host, self.databases = Path(root), store, host, list(databases)
        self.root.mkdir(parents=True, exist_ok=True)
        self.last = self.base = None

    def folder(self, day):
        return self.root / day / day / "shards"

    def path(self, run, name=None):
        return self.folder(run["day"]) / (name or self.name(run))

    @staticmethod
    def name(run):
        return f"{run['store'][:8]}-{run['run']}.json"

    def objects(self, run):
        """The paths of its objects."""
        return [self.path(run, one["name"]) for one in run["objects"]]

    def full(self, day, tar, count=1, time="235500"):
        run = self.base = self.snapshot(day, time, tar, count, "full", "full")
        return run

    def number(self, day, tar, count=1, time="235500"):
        before, number = self.last, manifest_of(tar)["number"]
        run = self.snapshot(day, time, tar, count, "incremental", number)
        run |= {"follows": {"day": before["day"], "receipt": self.name(before)},
                "base": {"day": self.base["day"], "receipt": self.name(self.base)}}
        return self.write(run)

    def nothing_new(self, day, time="235500"):
        """A number without objects."""
        before = self.last
        run = self.empty(day, time, "incremental")
        run |= {"id": before["id"], "parent": before["id"], "number": before["number"], "created": before["created"],
                "follows": {"day": before["day"], "receipt": self.name(before)},
                "base": {"day": self.base["day"], "receipt": self.name(self.base)}}
        return self.write(run)

    def legacy(self, day, files, time="235500"):
        """files: name -> bytes, as influxd backup wrote them."""
        run = self.empty(day, time, "legacy")
        for name, content in sorted(files.items()):
            self.add(run, name, content)
        return self.write(run)

    def snapshot(self, day, time, tar, count, form, word):
        run = self.empty(day, time, form)
        manifest = manifest_of(tar)
        run |= {key: manifest[key] for key in ("id", "parent", "number", "created")}
        name = f"{self.store[:8]}-{run['run']}-{word}.tar"
        for place, piece in enumerate(pieces(tar, count)):
            self.add(run, name if count == 1 else f"{name}.{place:03}", piece)
        return self.write(run)

    def empty(self, day, time, form):
        return {"version": 1, "program": "influxfs test", "form": form, "store": self.store, "host": self.host, "day": day,
                "run": f"{day.replace('-', '')}T{time}Z", "id": None, "parent": None, "number": None, "created": None,
                "follows": None, "base": None, "databases": self.databases, "left_out": [], "bytes": 0, "objects": []}

    def add(self, run, name, content):
        self.folder(run["day"]).mkdir(parents=True, exist_ok=True)
        self.path(run, name).write_bytes(content)
        run["objects"].append({"name": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest(),
                               "md5": hashlib.md5(content).hexdigest()})
        run["bytes"] += len(content)

    def write(self, run):
        self.path(run).parent.mkdir(parents=True, exist_ok=True)
        self.path(run).write_text(receipt_text(run))
        self.last = run
        return run
