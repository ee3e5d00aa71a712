"""What is not a whole snapshot is refused, with the right error and in words, and changes nothing."""

import bz2
import errno
import gzip
import io
import json
import os
import random
import re
import tarfile
import time
import zipfile
from pathlib import Path

from lib.forge import BLOCK, Forgery, boundaries, member_bytes, with_checksum
from lib.restores import RestoreTest, drop, errno_name
from lib.stores import TSM_HEADER, HandmadeStore, wal_entry
from lib.trees import tree, whole_tree

DAMAGED = (errno.EBADMSG, errno.EIO)
NO_SNAPSHOT = (errno.EINVAL,)
SHARD = "data/db/autogen/1"


class DamageTest(RestoreTest):

    def setUp(self):
        super().setUp()
        self.good = self.tar.read_bytes()
        self.victim = self.folder / "victim"  # what a hostile tar might reach for
        self.victim.mkdir()
        (self.victim / "file").write_text("precious")
        self.mnt = self.mount(self.store, options=f"state={self.folder}/state")
        self.forged = Forgery(self.good)

    def make_source(self, root):
        store = HandmadeStore(root)
        content = random.Random(5)
        for number in range(2):
            store.shard(index=number == 1, tsm={"000000001-000000001.tsm": TSM_HEADER + content.randbytes(1500)},
                        wal={"_00001.wal": wal_entry(1)})
        return store.write_meta()

    def refused(self, content, *numbers, words=None):
        before = tree(self.victim)
        reason = self.check_refused(self.mnt, content, *numbers, words=words)
        self.assertEqual(tree(self.victim), before)
        self.assertEqual(set(os.listdir(self.folder)) - {"mnt", "mnt.log", "state"},
                         {"source", "store", "victim", "now.tar", "mnt-snapshot", "mnt-snapshot.log"})
        return reason

    def restored(self, content):
        self.assertEqual(errno_name(drop(self.mnt / "restore/good.tar", content)), "0")
        self.check_restored()


class ByteTest(DamageTest):
    """No byte of a snapshot is without meaning: headers have checksums, files and the manifest
    have sums, SHA256SUMS is compared with them, and what fills up blocks must be zeros."""

    def flip(self, first, step=97):
        before = whole_tree(self.store)
        path = self.mnt / "restore/bad.tar"
        wrong = []
        for number, at in enumerate(range(first, len(self.good), step)):
            bad = bytearray(self.good)
            bad[at] ^= 1 << number % 8
            got = drop(path, bytes(bad))
            if got not in DAMAGED and not (got == errno.EINVAL and at < BLOCK):
                wrong.append(f"byte {at}: {errno_name(got)}: {self.log(self.mnt)[-1]}")
            os.unlink(path)
        self.assertFalse(wrong, f"{len(wrong)} of {number + 1}:\n" + "\n".join(wrong[:20]))
        self.check_untouched(before)
        self.restored(self.good)

    def test_every_97th(self):
        self.flip(0)

    def test_every_97th_between(self):
        self.flip(48)

    def test_every_field_of_a_header(self):
        """Of a file, and in the padding behind its data."""
        _, header, data, size = next(there for there in boundaries(self.good) if there[0].endswith("_00001.wal"))
        end = data + size + -size % BLOCK
        for at in [*range(header, header + BLOCK, 8), *range(data + size, end, 61)]:
            bad = bytearray(self.good)
            bad[at] ^= 0x20
            self.assertIn(errno_name(drop(self.mnt / "restore/bad.tar", bytes(bad))), ("EBADMSG", "EIO"), f"byte {at}")
            os.unlink(self.mnt / "restore/bad.tar")

    def test_two_members_exchanged(self):
        """Each byte is one that was there; only the places differ."""
        members = self.forged.members()
        at = [number for number, (member, _) in enumerate(members) if member.name.endswith(".tsm")]
        (first, content), (second, other) = (members[number] for number in at)
        members[at[0]], members[at[1]] = (first, other), (second, content)
        self.refused(self.forged.bytes(members), *DAMAGED, words="SHA")


class LengthTest(DamageTest):
    """Cut off anywhere, or with something behind it."""

    def test_cut_off(self):
        lengths = {1, 2, 100, 511, 512, 513, 600, len(self.good) - 1, len(self.good) - 511, len(self.good) - 512,
                   len(self.good) - 513, len(self.good) - 1023, len(self.good) - 1024}
        for name, header, data, size in boundaries(self.good):
            lengths |= {header, header + 1, data, data + size // 2, data + size, data + size - 1}
        for length in sorted(lengths - {0}):
            with self.subTest(length=length):
                self.refused(self.good[:length], *DAMAGED, words="early")
        self.restored(self.good)

    def test_empty(self):
        self.refused(b"", *NO_SNAPSHOT, words="empty")

    def test_something_follows(self):
        more = {"garbage": b"garbage", "a byte": b"x", "the same again": self.good,
                "a member": self.forged.bytes([self.forged.members()[2]]), "zeros and a byte": bytes(9000) + b"x"}
        for name, content in more.items():
            with self.subTest(name):
                self.refused(self.good + content, *DAMAGED)

    def test_more_zeros_are_no_harm(self):
        """GNU tar fills up to 10 KiB."""
        self.restored(self.good + bytes(20 * BLOCK))

    def test_compressed_and_cut_off(self):
        packed = gzip.compress(self.good)
        for content in (packed[:-1], packed[:-8], packed[:len(packed) // 2], packed[:20], packed + b"x",
                        packed[:1000] + b"x" + packed[1001:]):
            self.refused(content, *DAMAGED)
        self.restored(packed)


class KindTest(DamageTest):
    """Something else altogether."""

    def test_not_snapshots(self):
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w") as tar:
            tar.add(self.source / "meta", "meta")
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as archive:
            archive.writestr("manifest", "{}")
        for name, content in {
                "a plain tar": plain.getvalue(), "a plain tar, compressed": gzip.compress(plain.getvalue()),
                "an empty tar": bytes(10240), "text": b"hello\n" * 1000, "a zip": zipped.getvalue() + bytes(1000),
                "random bytes": random.Random(1).randbytes(300000), "zeros": bytes(10**7),
                "compressed text": gzip.compress(b"hello" * 9999), "bzip2": bz2.compress(self.good),
                "a TSM file": (self.source / SHARD / "000000001-000000001.tsm").read_bytes(),
                "its manifest alone": self.good[BLOCK:2 * BLOCK]}.items():
            with self.subTest(name):
                self.refused(content, *NO_SNAPSHOT, words="not a snapshot")

    def test_short_files(self):
        """Less than a tar's first header."""
        for content in (b"x", b"hello\n", json.dumps({"version": 1}).encode(), bytes(100)):
            self.assertEqual(errno_name(drop(self.mnt / "restore/bad.tar", content)), "EINVAL")
            time.sleep(0.3)  # until the last close is known, too
            self.assertIn("not a snapshot", self.log(self.mnt)[-1])
            os.unlink(self.mnt / "restore/bad.tar")

    def test_dev_zero(self):
        before = whole_tree(self.store)
        code, said = self.shell("dd if=/dev/zero of=DIR/zero bs=1M count=10", DIR=self.mnt / "restore")
        self.assertNotEqual(code, 0)
        self.assertIn("Invalid argument", said)
        self.check_untouched(before)

    def test_incremental(self):
        """One that does not say what it builds on."""
        for parent, number in ((None, 3), ("0" * 32, None), (self.forged.manifest["id"], 3)):
            self.forged.manifest |= {"kind": "incremental", "parent": parent, "number": number}
            self.refused(self.forged.bytes(), errno.EBADMSG, words="since when")

    def test_database(self):
        self.forged.manifest["kind"] = "database"
        self.refused(self.forged.bytes(), errno.EINVAL, words="database")

    def test_unknown_kind(self):
        self.forged.manifest["kind"] = "other"
        self.refused(self.forged.bytes(), errno.EINVAL, errno.EBADMSG)

    def test_version(self):
        self.forged.manifest["version"] = 2
        self.refused(self.forged.bytes(), errno.EINVAL, words="version 2")

    def test_manifest_of_something_else(self):
        self.forged.listed = False
        for manifest in ({}, {"schemaVersion": 2, "layers": []}, []):
            self.forged.manifest = manifest
            self.refused(self.forged.bytes(), *NO_SNAPSHOT, *DAMAGED)


class HostileTest(DamageTest):
    """Made to do harm. Wherever possible manifest and sums agree with it."""

    def hostile(self, forged=None, *numbers, words=None):
        self.refused((forged or self.forged).bytes(), *(numbers or DAMAGED), words=words)

    def test_a_forgery_can_be_good(self):
        """Or the others here would prove nothing."""
        self.restored(self.forged.bytes())

    def test_names_that_lead_out(self):
        for name in ("../victim/file", "data/../../victim/file", f"{SHARD}/../../../../../victim/file", "data/..",
                     "data/./x", "data//x", "./data/x/y/1/a.tsm", "..", ".", "", "data/db/autogen/1/..",
                     str(self.victim / "file"), f"/{SHARD}/x.tsm", "//etc/passwd"):
            for listed in (True, False):
                forged = Forgery(self.good).add(name, b"bad")
                if not listed:
                    forged.unlisted.add(name)
                with self.subTest(name, listed=listed):
                    self.hostile(forged)

    def test_folders_that_lead_out(self):
        for name in ("..", "data/../..", str(self.victim / "new"), "/", "data/x/../../../victim/new"):
            with self.subTest(name):
                self.hostile(Forgery(self.good).add(name, kind=tarfile.DIRTYPE))

    def test_names_that_do_not_belong(self):
        for name in ("other/file", "meta.db", "datax/file", "DATA/db/rp/1/a.tsm", "meta/raft.db", "meta/.influxfs/x",
                     "data/.influxfs/x", "data/.influxfs/restoring/data/x", "wal/.influxfs/x", "data", "meta",
                     "data.restoring/x", "manifest", "manifest/x", "SHA256SUMS/x", ".influxfs"):
            with self.subTest(name):
                self.hostile(Forgery(self.good).add(name, b"bad"))

    def test_folders_that_do_not_belong(self):
        for name in ("other", "data/.influxfs", "meta/raft.db", "meta/.influxfs", "manifest", "SHA256SUMS",
                     "data.before-restore"):
            with self.subTest(name):
                self.hostile(Forgery(self.good).add(name, kind=tarfile.DIRTYPE))

    def test_other_kinds_of_members(self):
        for name, kind, link in (
                ("a symbolic link", tarfile.SYMTYPE, str(self.victim)), ("out", tarfile.SYMTYPE, "../../../../victim"),
                ("a hard link", tarfile.LNKTYPE, "meta/meta.db"),
                ("a hard link out", tarfile.LNKTYPE, str(self.victim / "file")),
                ("a character device", tarfile.CHRTYPE, ""), ("a block device", tarfile.BLKTYPE, ""),
                ("a fifo", tarfile.FIFOTYPE, ""), ("contiguous", tarfile.CONTTYPE, ""),
                ("unknown", b"Z", ""), ("a volume", b"V", ""), ("a dump's folder", b"D", "")):
            with self.subTest(name):
                self.hostile(Forgery(self.good).add(f"{SHARD}/000000009-000000001.tsm", kind=kind, link=link))

    def test_through_a_link(self):
        """A link in the place of a folder, and then a file below it."""
        forged = self.forged
        forged.add("data/out", kind=tarfile.SYMTYPE, link=str(self.victim))
        forged.add("data/out/file", b"bad")
        self.hostile()

    def test_twice(self):
        member, data = self.forged.find(".tsm")
        for name, again in (("the same", data), ("another", bytes(len(data)))):
            forged = Forgery(self.good)
            forged.entries.append([member, again])
            with self.subTest(name):
                self.hostile(forged)

    def test_file_and_folder_of_one_name(self):
        name = f"{SHARD}/000000001-000000001.tsm"
        for at in (0, None):
            with self.subTest(at=at):
                self.hostile(Forgery(self.good).add(name, kind=tarfile.DIRTYPE, at=at))
        with self.subTest("below a file"):
            self.hostile(Forgery(self.good).add(f"{name}/x", b"bad"))

    def test_listed_and_not_there(self):
        manifest = self.forged.manifest_bytes()
        self.forged.listed = False
        self.forged.manifest = json.loads(manifest)
        self.forged.remove(".wal")
        self.hostile(words="not in the tar")

    def test_there_and_not_listed(self):
        name = f"{SHARD}/000000009-000000001.tsm"
        self.forged.add(name, b"more").unlisted.add(name)
        self.hostile(words="manifest")

    def test_listed_twice(self):
        manifest = json.loads(self.forged.manifest_bytes())
        manifest["files"].append(manifest["files"][1])
        self.forged.manifest, self.forged.listed = manifest, False
        self.hostile()

    def test_without_meta_db(self):
        self.forged.remove("meta.db")
        self.hostile(words="meta.db")

    def test_sizes_in_the_manifest(self):
        for size in (2**62, 2**63, -1, 10**30, "5", 1.5, None, 3):
            forged = Forgery(self.good)
            forged.manifest, forged.listed = json.loads(forged.manifest_bytes()), False
            forged.manifest["files"][1]["size"] = size
            with self.subTest(size=size):
                self.hostile(forged, *DAMAGED, errno.ENOSPC)

    def test_more_than_fits(self):
        """The manifest promises a petabyte, or what is just too much: said at once."""
        self.forged.manifest, self.forged.listed = json.loads(self.forged.manifest_bytes()), False
        free = os.statvfs(self.folder)
        self.forged.manifest["files"][1]["size"] = free.f_blocks * free.f_frsize
        self.hostile(self.forged, errno.ENOSPC)

    def header_with(self, size_field, name=".tsm", extra=b""):
        """The good tar, with the size field of one header changed and its checksum right."""
        _, at, _, _ = next(there for there in boundaries(self.good) if there[0].endswith(name))
        header = bytearray(self.good[at:at + BLOCK])
        header[124:136] = size_field
        return self.good[:at] + extra + with_checksum(header) + self.good[at + BLOCK:]

    def test_sizes_in_headers(self):
        for field in (b"77777777777\0", b"\x80" + bytes(3) + b"\x7f" + b"\xff" * 7, b"\xff" * 12, b"-0000000001\0",
                      b"00000000000\0", b"00000000001\0", b"99999999999\0", b"x" * 12):
            for name in (".tsm", "manifest", "SHA256SUMS"):
                with self.subTest(f"{field} {name}"):
                    self.refused(self.header_with(field, name), *DAMAGED, errno.EINVAL)

    def test_pax_records_that_override(self):
        """Records before a header replace its fields; whatever they say must hold."""
        at = self.forged.entries.index(self.forged.find(".tsm"))
        for name, value in (("size", "1"), ("size", "99999999999999999999"), ("path", "../victim/file"),
                            ("path", "data/x\0y"), ("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "5"),
                            ("GNU.sparse.size", "99999999")):
            with self.subTest(f"{name}={value!r}"):
                self.refused(self.with_record(at, name, value), *DAMAGED)
        # These change nothing: a file has no link, and an empty record stands for the header's own field.
        for name, value in (("linkpath", str(self.victim)), ("path", ""), ("comment", "hello"), ("uid", "77")):
            with self.subTest(f"{name}={value!r}"):
                self.restored(self.with_record(at, name, value))

    def with_record(self, at, name, value):
        members = self.forged.members()
        return (self.forged.bytes(members[:at + 1])[:-2 * BLOCK] + pax_header({name: value}) +
                member_bytes(*members[at + 1]) + self.forged.bytes(members[at + 2:]))

    def test_global_pax_header(self):
        members = self.forged.members()
        content = (self.forged.bytes(members[:1])[:-2 * BLOCK] + pax_header({"path": "../victim/file"}, b"g") +
                   self.forged.bytes(members[1:]))
        self.refused(content, *DAMAGED)

    def test_gnu_sparse(self):
        info = tarfile.TarInfo(f"{SHARD}/000000009-000000001.tsm")
        info.type, info.size = tarfile.GNUTYPE_SPARSE, 4
        self.forged.form = tarfile.GNU_FORMAT
        self.forged.entries.append([info, b"1234"])
        self.hostile()

    def test_strange_names(self):
        """They are what influxd may call a database, or are refused; never cut off or changed."""
        for name in ("new\nline", "back\\slash", "tab\there", "with\x01control", "x" * 256, "x" * 5000,
                     "/".join(["d"] * 2000), "\udcff\udcfe"):
            with self.subTest(name[:20]):
                before = whole_tree(self.store)
                forged = Forgery(self.good).add(f"data/{name}/autogen/9/000000001-000000001.tsm", b"odd")
                got = drop(self.mnt / "restore/odd.tar", forged.bytes())
                self.assertIn(errno_name(got), ("0", "EBADMSG", "ENAMETOOLONG", "EIO"))
                if got:
                    self.check_untouched(before)
                else:
                    path = Path(os.fsencode(f"{self.store}/data/{name}/autogen/9/000000001-000000001.tsm").decode(
                        errors="surrogateescape"))
                    self.assertEqual(path.read_bytes(), b"odd")
                os.unlink(self.mnt / "restore/odd.tar")

    def test_utf8_names(self):
        self.forged.add("data/Größe 値/autogen/9/000000001-000000001.tsm", b"utf8")
        self.assertEqual(drop(self.mnt / "restore/a.tar", self.forged.bytes()), 0)
        self.assertEqual((self.store / "data/Größe 値/autogen/9/000000001-000000001.tsm").read_bytes(), b"utf8")

    def test_order(self):
        members = self.forged.members()
        orders = {"manifest last": members[1:-1] + [members[0], members[-1]], "manifest second": [
            members[1], members[0], *members[2:]], "sums first": [members[-1], *members[:-1]],
            "sums second": [members[0], members[-1], *members[1:-1]], "no sums": members[:-1],
            "a member behind the sums": members[:-2] + [members[-1], members[-2]],
            "sums twice": members + [members[-1]], "two manifests": [members[0], *members],
            "a second manifest": members[:3] + [members[0]] + members[3:]}
        for name, order in orders.items():
            with self.subTest(name):
                self.refused(self.forged.bytes(order), *DAMAGED, errno.EINVAL)

    def test_sums(self):
        *members, (info, sums) = self.forged.members()
        lines = sums.splitlines(keepends=True)
        digit = b"1" if lines[3][:1] == b"0" else b"0"
        for name, text in {
                "one wrong": b"".join(lines[:3]) + digit + b"".join(lines[3:])[1:], "one missing": b"".join(lines[:-1]),
                "none": b"", "manifest's missing": b"".join(lines[1:]), "one twice": sums + lines[2],
                "one too many": sums + b"0" * 64 + b"  data/other\n", "no newline": sums[:-1],
                "an empty line": sums + b"\n",
                "upper case": sums.upper(), "names exchanged": sums.replace(b"autogen/1", b"autogen/X").replace(
                    b"autogen/2", b"autogen/1").replace(b"autogen/X", b"autogen/2"), "text": b"hello\n",
                "a NUL": sums + b"\0"}.items():
            info.size = len(text)
            with self.subTest(name):
                self.refused(self.forged.bytes([*members, (info, text)]), *DAMAGED)

    def test_reordered_sums_are_right(self):
        """sha256sum(1) takes them in any order, and so may we, or refuse; but nothing in between."""
        *members, (info, sums) = self.forged.members()
        content = self.forged.bytes([*members, (info, b"".join(reversed(sums.splitlines(keepends=True))))])
        got = drop(self.mnt / "restore/a.tar", content)
        self.assertIn(errno_name(got), ("0", "EBADMSG"))
        if not got:
            self.check_restored()


class BombTest(DamageTest):
    """Small when it comes and large when it is unpacked: neither memory nor time may go."""

    def peak(self):
        """The daemon's, in MiB."""
        status = Path(f"/proc/{self.mnt.pid()}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024

    def bomb(self, head, megabytes, tail=b"", *numbers):
        out = io.BytesIO()
        with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=1) as packed:
            packed.write(head)
            for _ in range(megabytes):
                packed.write(bytes(2**20))
            packed.write(tail)
        self.refused(out.getvalue(), *(numbers or DAMAGED))
        self.assertLess(self.peak(), 100, "MiB of memory")

    def test_zeros(self):
        self.bomb(b"", 400, b"", errno.EINVAL, errno.EBADMSG)

    def test_zeros_behind_a_snapshot(self):
        """They are allowed, if not without end."""
        self.bomb(self.good, 400, b"x")

    def test_manifest_without_end(self):
        header = tarfile.TarInfo("manifest")
        header.size = 10**12
        self.bomb(header.tobuf(), 400)

    def test_pax_records_without_end(self):
        header = tarfile.TarInfo("./PaxHeaders/manifest")
        header.size, header.type = 10**9, tarfile.XHDTYPE
        self.bomb(header.tobuf(tarfile.USTAR_FORMAT), 400, b"", *DAMAGED, errno.EINVAL)

    def test_long_name_without_end(self):
        header = tarfile.TarInfo("././@LongLink")
        header.size, header.type = 10**9, tarfile.GNUTYPE_LONGNAME
        self.bomb(header.tobuf(tarfile.GNU_FORMAT), 400, b"", *DAMAGED, errno.EINVAL)

    def test_nested_json(self):
        self.forged.listed = False
        members = self.forged.members()
        for text in (b"[" * 10**6, b'{"a":' * 10**6, b'{"version":1,"files":' + b"[" * 10**6):
            info = members[0][0]
            info.size = len(text)
            self.refused(self.forged.bytes([(info, text), *members[1:]]), *DAMAGED, errno.EINVAL)


def pax_header(records, kind=b"x"):
    """One that says just this."""
    text = b""
    for name, value in records.items():
        body = f" {name}={value}\n".encode()
        length = len(body) + len(str(len(body) + 2))
        while len(f"{length}".encode() + body) != length:
            length += 1
        text += f"{length}".encode() + body
    info = tarfile.TarInfo("PaxHeaders/x")
    info.type, info.size = kind, len(text)
    return member_bytes(info, text, tarfile.USTAR_FORMAT)
