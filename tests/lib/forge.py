"""Snapshots made by hand from a good one: changed in one place, and right in all others."""

import hashlib
import io
import json
import tarfile

BLOCK = 512


class Forgery:
    """forged = Forgery(content); forged.manifest["version"] = 2; forged.bytes()

    entries: [TarInfo, bytes] of all members between the manifest and SHA256SUMS, to be changed as
    one likes; the manifest's own list and the sums follow, unless listed or sums is False."""

    def __init__(self, content):
        self.entries = []
        self.listed = self.sums = True
        self.unlisted = set()       # names that the manifest is to leave out
        self.form = tarfile.PAX_FORMAT
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            for member in tar:
                member.pax_headers = {}
                data = tar.extractfile(member).read() if member.isfile() else b""
                if member.name == "manifest":
                    self.manifest_info, self.manifest = member, json.loads(data)
                elif member.name == "SHA256SUMS":
                    self.sums_info = member
                else:
                    self.entries.append([member, data])
        self.mtimes = {file["name"]: file for file in self.manifest["files"]}

    def add(self, name, data=b"", kind=tarfile.REGTYPE, link="", at=None):
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size, member.mode = kind, link, len(data), 0o644
        self.entries.insert(len(self.entries) if at is None else at, [member, data])
        return self

    def find(self, end):
        """The first entry whose name ends so."""
        return next(entry for entry in self.entries if entry[0].name.endswith(end))

    def remove(self, end):
        self.entries.remove(self.find(end))
        return self

    def plain(self):
        return [(member, data) for member, data in self.entries
                if member.type == tarfile.REGTYPE and member.name not in self.unlisted]

    def manifest_bytes(self):
        if self.listed:
            files = [{"name": member.name, "size": member.size,
                      "index": self.mtimes.get(member.name, {}).get("index", 1),
                      "mtime_ns": self.mtimes.get(member.name, {}).get("mtime_ns", 10**18)}
                     for member, _ in self.plain()]
            self.manifest["files"] = list({file["name"]: file for file in files}.values())
        return json.dumps(self.manifest).encode(errors="surrogateescape")

    def sums_bytes(self, manifest):
        lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n"
                 for name, data in [("manifest", manifest)] + [(m.name, data) for m, data in self.plain()]]
        return "".join(lines).encode(errors="surrogateescape")

    def members(self):
        """All, in order: (TarInfo, bytes)."""
        manifest = self.manifest_bytes()
        self.manifest_info.size = len(manifest)
        out = [(self.manifest_info, manifest)] + [tuple(entry) for entry in self.entries]
        if self.sums:
            sums = self.sums_bytes(manifest)
            self.sums_info.size = len(sums)
            out.append((self.sums_info, sums))
        return out

    def bytes(self, members=None):
        return b"".join(member_bytes(member, data, self.form) for member, data in members or self.members()) + bytes(
            2 * BLOCK)


def member_bytes(member, data, form=tarfile.PAX_FORMAT):
    return member.tobuf(form, "utf-8", "surrogateescape") + data + bytes(-len(data) % BLOCK)


def with_checksum(header):
    """A tar header whose checksum is right again."""
    header = bytearray(header)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def boundaries(content):
    """Where each member begins: (name, header's offset, data's offset, size)."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return [(member.name, member.offset, member.offset_data, member.size) for member in tar]
