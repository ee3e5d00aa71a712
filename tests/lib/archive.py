"""A now.tar read by Python's tarfile, and checked against what it says of itself."""

import hashlib
import json
import re
import tarfile


class Archive:
    """members: name -> TarInfo, in order; manifest; sums: name -> sha256, as SHA256SUMS has it."""

    def __init__(self, path):
        """Reads and checks every byte."""
        found = {}
        self.members = {}
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name in self.members:
                    raise AssertionError(f"{path}: {member.name} is there twice")
                self.members[member.name] = member
                if member.isfile():
                    found[member.name] = hashlib.file_digest(tar.extractfile(member), "sha256").hexdigest()
            self.manifest = json.load(tar.extractfile("manifest"))
            text = tar.extractfile("SHA256SUMS").read().decode()
        self.sums = dict(map(sums_line, text.split("\n")[:-1]))
        self.check(path, found)

    def check(self, path, found):
        names = list(self.members)
        if (names[0], names[-1]) != ("manifest", "SHA256SUMS"):
            raise AssertionError(f"{path}: begins with {names[0]} and ends with {names[-1]}")
        del found["SHA256SUMS"]
        if found != self.sums:
            raise AssertionError(f"{path}: wrong sums: {dict(found.items() ^ self.sums.items())}")
        del found["manifest"]
        listed = {file["name"]: file for file in self.manifest["files"]}
        if len(listed) != len(self.manifest["files"]) or listed.keys() != found.keys():
            raise AssertionError(f"{path}: manifest and members differ in {listed.keys() ^ found.keys()}")
        for name, file in listed.items():
            member = self.members[name]
            if (file["size"], file["mtime_ns"] // 10**9) != (member.size, member.mtime):
                raise AssertionError(f"{path}: {name}: {file} and {member.size}, {member.mtime}")

    def files(self):
        """Names of the store's files in it."""
        return [file["name"] for file in self.manifest["files"]]

    def indexes(self):
        return {file["name"]: file["index"] for file in self.manifest["files"]}

    def folders(self):
        return {name for name, member in self.members.items() if member.isdir()}


def sums_line(line):
    """(name, sum) of a line that sha256sum(1) would write."""
    escaped, digest, name = re.fullmatch(r"(\\?)([0-9a-f]{64})  (.*)", line).groups()
    if escaped:
        name = re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), name)
    return name, digest
