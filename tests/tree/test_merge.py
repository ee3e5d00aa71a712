"""A snapshot merged into a store: the real influxd answers as one that was given the points of both."""

import os
import random
import re
import shutil
import struct
import time
from pathlib import Path

from lib import fixtures
from lib.case import StoreTest
from lib.cuts import snap
from lib.dumps import rfc3339
from lib.files import files_in, run, wait_until
from lib.influxd import Influxd, tsm_files
from lib.measurements import HOUR, START
from lib.merging import Side, all_rows, create, history, is_flushed, merge, server, write_all
from lib.points import names
from lib.trees import litter, store_tree, whole_tree


class MergeTest(StoreTest):
    timeout = 300

    def sides(self, index, our_hours, their_hours, **how):
        """Stores at self.ours and self.theirs, as a SIGKILL leaves them, with shards of so many hours."""
        self.hours = our_hours, their_hours
        self.index = index
        for name, hours, seed in (("ours", our_hours, 1), ("theirs", their_hours, 2)):
            with server(self.folder / name, index) as influxd:
                influxd.run(create("db", hours))
                history(influxd, Side(seed + hours, hours, shift=seed, **how.get(name, {})), "db")
        self.tar = self.folder / "theirs.tar"
        snap(self.folder / "theirs", "--quiet", "backup", self.tar)

    def copy(self, name):
        """Our store, stopped, to be merged into."""
        root = self.folder / name
        shutil.copytree(self.folder / "ours", root, ignore=lambda *_: ["influxfs", "influxdb.conf", "influxd.log"])
        return root

    def wanted(self, *order):
        """What a server answers that was given the points of these stores, in this order."""
        with Influxd(self.folder / "-".join(("wanted", *order)), index=self.index) as influxd:
            influxd.run(create("db", self.hours[0]))
            for name in order:
                write_all(influxd, self.folder / name, "db", "rp", self.hours[name == "theirs"])
            return all_rows(influxd, "db", "rp")

    def check(self, mode, root, wanted):
        self.assertEqual(litter(root), [])
        with Influxd(root, index=self.index) as influxd:
            got = all_rows(influxd, "db", "rp")
        for measurement, rows in wanted.items():
            self.assertEqual(rows, got[measurement], f"{mode}: {measurement}")
        self.assertTrue(any(wanted.values()))

    def check_compacted(self, root, wanted):
        """influxd keeps the order of the files: one file for each shard later, the answers are the same."""
        with Influxd(root, index=self.index, compact_full_write_cold_duration="1s",
                     cache_snapshot_write_cold_duration="1s") as influxd:
            wait_until(lambda: all(len(list(shard.glob("*.tsm"))) == 1 and not list(shard.glob("*.tombstone"))
                                   for shard in root.glob("data/db/rp/*")), 60, "compactions")
            self.assertEqual(all_rows(influxd, "db", "rp"), wanted)

    def check_both(self, again=False):
        # The store's types count in either case: it is there first.
        for mode, order in (("ours", ("ours", "theirs", "ours")), ("theirs", ("ours", "theirs"))):
            with self.subTest(mode):
                wanted = self.wanted(*order)
                root = self.copy(f"merged-{mode}")
                self.assertIn(" field c of measurement ", merge(root, mode, self.tar, codes=(6,)))
                self.check(mode, root, wanted)
                if again:
                    merge(root, mode, self.tar, codes=(6,))
                    self.check(f"{mode} again", root, wanted)
        if again:
            self.check_compacted(root, wanted)

    def test_same_groups_inmem(self):
        self.sides("inmem", 1, 1)
        self.check_both()

    def test_same_groups_tsi1(self):
        self.sides("tsi1", 1, 1, theirs={"first": 3})
        self.check_both(again=True)

    def test_longer_groups(self):
        self.sides("tsi1", 4, 1)
        self.check_both()

    def test_shorter_groups(self):
        self.sides("inmem", 1, 4)
        self.check_both()


class MergeStoreTest(StoreTest):
    """What else is in the two stores."""

    def store(self, name, statements, lines, flushed=False, index="tsi1"):
        """With a WAL alone, or with files and no WAL. lines: (database, policy) -> lines."""
        root = self.folder / name
        how = {"cache_snapshot_memory_size": 1, "cache_snapshot_write_cold_duration": "1s"} if flushed else {}
        with Influxd(root, index=index, **how) as influxd:
            for statement in statements:
                influxd.run(statement)
            for (db, rp), written in lines.items():
                influxd.write(written, db, rp)
            if flushed:
                wait_until(lambda: is_flushed(root), 60, "a flush")
            influxd.stop()
        for own in ("influxdb.conf", "influxd.log"):
            (root / own).unlink()
        return root

    def snapshot(self, root):
        snap(root, "--quiet", "backup", f"{root}.tar")
        return f"{root}.tar"

    def hours(self, field, *hours, tag="h=a"):
        return [f"m,{tag} {field} {START + hour * HOUR}" for hour in hours]

    def test_nothing_else_changes(self):
        rp = create("both", 1)
        ours = self.store("ours", [rp, create("mine", 1), "CREATE USER admin WITH PASSWORD 'x' WITH ALL PRIVILEGES",
                                   "CREATE USER reader WITH PASSWORD 'x'", 'GRANT READ ON "mine" TO reader'],
                          {("both", "rp"): self.hours("v=1", 0, 1, 2), ("mine", "rp"): self.hours("v=1", 0)})
        query = ('CREATE CONTINUOUS QUERY "cq" ON "both" BEGIN SELECT mean(v) INTO "both".rp.x FROM "both".rp.m '
                 'GROUP BY time(1h) END')
        tar = self.snapshot(self.store(
            "theirs", [rp, create("new", 1), query, "CREATE USER stranger WITH PASSWORD 'x'", 'GRANT READ ON "both" TO stranger',
                       'CREATE RETENTION POLICY other ON "both" DURATION INF REPLICATION 1 SHARD DURATION 2h',
                       'ALTER RETENTION POLICY rp ON "both" DURATION 9999d'],
            {("both", "rp"): self.hours("v=2", 1, 5, tag="h=b"), ("both", "other"): self.hours("v=3", 0, 7),
             ("new", "rp"): self.hours("v=4", 0)}))
        before = store_tree(ours)
        said = merge(ours, "theirs", "--dry-run", tar)
        self.assertEqual(store_tree(ours), before)
        done = merge(ours, "theirs", tar)
        planned, told = ([line for line in text.splitlines() if line.startswith("influxsnap: ")] for text in (said, done))
        self.assertEqual(planned, told)
        for words in ("database both, to which points were added: 4 shards", "shards of both that are added as they are: 3",
                      "by file into shards of the same times: 1", "database new, which was not there: 1 shard",
                      "continuous query cq of database both is not added",
                      "the policy rp of database both stays as it is: DURATION INF SHARD DURATION 1h; in the snapshot it is "
                      "DURATION 9999d SHARD DURATION 1h"):
            self.assertIn(words, done)
        after = store_tree(ours)
        shard = re.compile("(data|wal)/both/rp/2(/|$)")
        same = {name: what for name, what in before.items()
                if not shard.match(name) and not re.fullmatch("(meta/meta.db|meta|data|wal)(/both(/rp)?)?", name)}
        self.assertEqual({name: after.get(name) for name in same}, same)
        self.assertGreater(len([name for name in same if "/_series/" in name or "/index/" in name]), 40)
        with Influxd(ours, index="tsi1") as influxd:
            self.assertEqual([row[0] for row in influxd.run("SHOW USERS")[0]["values"]], ["admin", "reader"])
            self.assertEqual(names(influxd, 'SHOW RETENTION POLICIES ON "both"'), ["rp", "other"])
            self.assertFalse([row for one in influxd.run("SHOW CONTINUOUS QUERIES") for row in one.get("values", [])])
            self.assertEqual(names(influxd, "SHOW SERIES", "both"), ["m,h=a", "m,h=b"])
            for question, values in ((("both", "rp"), [1, 1, 2, 1, 2]), (("both", "other"), [3, 3]), (("mine", "rp"), [1]),
                                     (("new", "rp"), [4])):
                self.assertEqual([row[2] for row in influxd.run(f'SELECT h, v FROM "{question[1]}"."m"', question[0])[0]["values"]],
                                 values, question)

    def test_another_name_and_a_part(self):
        ours = self.store("ours", [create("here", 1)], {("here", "rp"): self.hours("v=1", 0, 1)})
        theirs = self.store("theirs", [create("there", 1), create("more", 1)],
                            {("there", "rp"): self.hours("v=2", 1, 2, 3), ("more", "rp"): self.hours("v=2", 0)})
        tar = self.snapshot(theirs)
        merge(ours, "theirs", "--database=there", "--as=here", f"--to={rfc3339(START + 3 * HOUR)}", tar)
        with Influxd(ours, index="tsi1") as influxd:
            self.assertEqual(names(influxd, "SHOW DATABASES"), ["here"])
            self.assertEqual([row[1] for row in influxd.run("SELECT v FROM rp.m", "here")[0]["values"]], [1, 2, 2])

    def test_values_of_another_type(self):
        """They are named, for all shards at once, and the exit code tells."""
        ours = self.store("ours", [create("db", 1)], {("db", "rp"): self.hours("v=1.5", 0, 1, 2)})
        tar = self.snapshot(self.store("theirs", [create("db", 1)],
                                       {("db", "rp"): self.hours('v="s",w=1i', 0, 1) + self.hours("v=2.5", 2)}))
        said = merge(ours, "theirs", "--quiet", tar, codes=(6,))
        self.assertEqual(said.count("left out"), 1)
        self.assertIn("in 2 shards of db/rp from 2016-06-11T00:00:00Z to 2016-06-11T01:59:59.999999999Z: field v of measurement m "
                      "is float there, and string in the snapshot", said)
        with Influxd(ours, index="tsi1") as influxd:
            self.assertEqual([row[1:] for row in influxd.run("SELECT v, w FROM rp.m", "db")[0]["values"]],
                             [[1.5, 1], [1.5, 1], [2.5, None]])

    def test_numbers(self):
        """A chain is merged as the state that it leads to."""
        ours = self.store("ours", [create("db", 1)], {("db", "rp"): self.hours("v=1", 0, 1)})
        theirs = self.store("theirs", [create("db", 1)], {("db", "rp"): self.hours("v=2", 1)})
        tar = self.snapshot(theirs)
        with Influxd(theirs, index="tsi1") as influxd:
            influxd.write(self.hours("v=3", 1, 2), "db", "rp")
            influxd.stop()
        self.snapshot(theirs)
        self.assertTrue(os.path.exists(f"{tar}.0"))
        merge(ours, "theirs", tar)
        with Influxd(ours, index="tsi1") as influxd:
            self.assertEqual([row[1] for row in influxd.run("SELECT v FROM rp.m", "db")[0]["values"]], [1, 3, 3])

    def test_refused(self):
        """Nothing is changed while influxd runs, or by what is damaged or not there."""
        ours = self.store("ours", [create("db", 1)], {("db", "rp"): self.hours("v=1", 0)}, flushed=True)
        theirs = self.store("theirs", [create("db", 1)], {("db", "rp"): self.hours("v=2", 0)})
        tar = self.snapshot(theirs)
        with Influxd(ours, index="tsi1"):
            merge(ours, "ours", tar, codes=(3,))
        shutil.rmtree(ours / "influxfs", ignore_errors=True)
        before = whole_tree(ours)
        self.assertIn("no database other", merge(ours, "ours", "--database=other", tar, codes=(1,)))
        merge(ours, "ours", "--exact", f"--from={rfc3339(START)}", tar, codes=(2,))
        whole = Path(tar).read_bytes()
        Path(tar).write_bytes(whole[:-3000])
        merge(ours, "ours", tar, codes=(4,))
        Path(tar).write_bytes(whole)
        self.assertEqual({name: what for name, what in whole_tree(ours).items()}, before)
        # A file of the store that must be read, and is damaged.
        path = next(path for path in files_in(ours / "data") if path.endswith(".tsm"))
        Path(path).write_bytes(Path(path).read_bytes()[:-9])
        before = store_tree(ours)
        self.assertIn(f"in the store: {os.path.relpath(path, ours)}: ", merge(ours, "ours", tar, codes=(1,)))
        self.assertEqual(store_tree(ours), before)
        self.assertEqual(litter(ours), [])

    def test_orphan_tombstone(self):
        """One without its TSM file deletes nothing of a file that gets its name."""
        ours = self.store("ours", [create("db", 1)], {("db", "rp"): self.hours("v=1", 0)}, flushed=True)
        tar = self.snapshot(self.store("theirs", [create("db", 1)], {("db", "rp"): self.hours("v=2", 0)}))
        orphan = ours / "data/db/rp/1/000000002-000000001.tombstone"
        key = b"m,h=a#!~#v"
        orphan.write_bytes(struct.pack(">II", 0x1502, len(key)) + key + struct.pack(">qq", -2**63, 2**63 - 1))
        merge(ours, "theirs", tar)
        self.assertTrue(orphan.with_suffix(".tsm").exists())
        with Influxd(ours, index="tsi1") as influxd:
            self.assertEqual([row[1] for row in influxd.run("SELECT v FROM rp.m", "db")[0]["values"]], [2])

    def test_links(self):
        """A shard behind a link cannot be merged into; others can."""
        ours = self.store("ours", [create("db", 1)], {("db", "rp"): self.hours("v=1", 0, 1)})
        tar = self.snapshot(self.store("theirs", [create("db", 1)], {("db", "rp"): self.hours("v=2", 0)}))
        for folder in ("data", "wal"):
            for shard in ("1", "2"):
                place = ours / folder / "db/rp" / shard
                place.rename(self.folder / f"{folder}-{shard}")
                place.symlink_to(self.folder / f"{folder}-{shard}")
                if shard == "1":
                    before = whole_tree(self.folder)
                    said = merge(ours, "theirs", tar, codes=(1,))
                    self.assertIn(f"in the store: {folder}/db/rp/1 is behind a symbolic link", said)
                    after = whole_tree(self.folder)
                    self.assertEqual({name for name in before if "influxfs" not in name},
                                     {name for name in after if "influxfs" not in name})
                    place.unlink()
                    (self.folder / f"{folder}-{shard}").rename(place)
        merge(ours, "theirs", tar)
        with Influxd(ours, index="tsi1") as influxd:
            self.assertEqual([row[1] for row in influxd.run("SELECT v FROM rp.m", "db")[0]["values"]], [2, 1])

    def test_retention(self):
        """What influxd will delete at once is said."""
        ours = self.store("ours", [create("db", 1)], {("db", "rp"): [f"m,h=a v=1 {time.time_ns()}"]})
        with Influxd(ours, index="tsi1") as influxd:
            influxd.run("ALTER RETENTION POLICY rp ON db DURATION 30d")
        tar = self.snapshot(self.store("theirs", [create("db", 4)], {("db", "rp"): self.hours("v=2", 0, 1, 5)}))
        for words in ("--dry-run", "--quiet"):
            said = merge(ours, "theirs", words, tar)
        self.assertIn("warning: 3 shards of db.rp end before its retention of 30d", said)

    def test_by_copying(self):
        """restore/merge/ of a mount."""
        ours = self.store("ours", [create("db", 1)], {("db", "rp"): self.hours("v=1", 0, 1)})
        tar = self.snapshot(self.store("theirs", [create("db", 1)], {("db", "rp"): self.hours("v=2", 1, 2)}))
        mnt = self.mount(ours)
        for mode, values in (("ours", [1, 1, 2]), ("theirs", [1, 2, 2])):
            run("cp", tar, mnt / f"restore/merge/{mode}/")
            self.assertIn("database db, to which points were added: 2 shards", (mnt / "restore/log").read_text())
            with Influxd(ours, index="tsi1") as influxd:
                self.assertEqual([row[1] for row in influxd.run("SELECT v FROM rp.m", "db")[0]["values"]], values, mode)

    def test_full_disk(self):
        """With too little room for the snapshot, or for what is written anew, nothing is changed."""
        if os.geteuid():
            self.skipTest("only root can mount a small file system")
        text = random.Random(1).randbytes(150_000).hex()
        stores = []
        for name in ("ours", "theirs"):
            lines = [f'm,s={name} v="{text[at:at + 1000]}" {START + at}' for at in range(0, len(text), 1000)]
            stores.append(self.store(name, [create("db", 1)], {("db", "rp"): lines}, flushed=True))
            with Influxd(stores[-1], index="tsi1") as influxd:   # a WAL
                influxd.write(lines, "db", "rp")
                influxd.stop()
        tar = self.snapshot(stores[1])
        disk = self.folder / "disk"
        disk.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=20m,mode=755", "tmpfs", disk)
        self.addCleanup(run, "umount", disk)
        run("cp", "-a", stores[0], disk / "store")
        before = store_tree(disk / "store")
        codes = []
        for leave in range(0, 4_000_000, 250_000):
            there = os.statvfs(disk)
            with (disk / "ballast").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, there.f_bavail * there.f_frsize - leave)
            said = merge(disk / "store", "theirs", f"--state={self.folder}/state", tar, codes=(0, 1))
            (disk / "ballast").unlink()
            codes.append("restored" in said)
            if codes[-1]:
                break
            self.assertRegex(said, "No space left|no room")
            self.assertEqual(store_tree(disk / "store"), before)
            self.assertEqual(litter(disk / "store"), [])
        self.assertTrue(codes[-1])
        self.assertGreater(len(codes), 4)


class MergeFixtureTest(StoreTest):
    """A store merged into itself, once each way: every answer stays."""
    timeout = 300

    def check(self, name):
        store = fixtures.unpack(name, self.folder / "store")
        tar = self.folder / "store.tar"
        snap(store, "--quiet", "backup", tar)
        files = len(tsm_files(store))
        for mode in ("ours", "theirs"):
            merge(store, mode, tar)
        self.assertGreater(len(tsm_files(store)), 2 * files)
        with Influxd(store, index=fixtures.index_of(name)) as influxd:
            fixtures.check_answers(name, influxd)

    def test_1_6_7_tsi1(self):
        self.check("1.6.7-tsi1")

    def test_1_8_10_inmem(self):
        self.check("1.8.10-inmem")

    def test_1_12_4_tsi1(self):
        self.check("1.12.4-tsi1")
