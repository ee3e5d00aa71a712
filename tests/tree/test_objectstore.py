"""The Swift and the S3 that other tests stand on: they are the real ones, and fail as those do."""

import os
import subprocess
import time

from lib.case import StoreTest
from lib.files import HANG, run
from lib.objectstore import Swift, rclone_environment
from lib.relay import Relay

MIB = 1 << 20


class ObjectStoreTest(StoreTest):
    def setUp(self):
        super().setUp()
        self.swift = self.enterContext(Swift(self.folder / "swift"))
        self.config = self.swift.rclone_config()
        self.data = os.urandom(6 * MIB + 1)
        self.path = self.folder / "data"
        self.path.write_bytes(self.data)

    def relayed(self):
        """An rclone.conf whose remotes are behind self.relay."""
        self.relay = self.enterContext(Relay(self.swift.port))
        return self.swift.rclone_config(self.folder / "relayed.conf", self.relay.port)

    def rclone(self, *words, config=None, code=0):
        """(stdout, stderr)"""
        done = subprocess.run(["rclone", *map(str, words)], env=rclone_environment(config or self.config),
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=HANG, check=False)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done.stdout, done.stderr.decode()

    def test_each(self):
        """All on one Swift: to start it takes longer than each of them."""
        for check in (self.clients, self.refusals, self.bad_line, self.killed_proxy):
            with self.subTest(check.__name__):
                check()

    def clients(self):
        """Whole objects and such in segments, by Swift, by S3 and in a folder; then one is damaged."""
        self.swift.client("upload", "2016-06-11", self.path, "--object-name", "shards/data")
        self.assertEqual(self.swift.client("list", "2016-06-11", "-p", "shards/"), "shards/data\n")
        self.rclone("copyto", self.path, "swift:2016-06-11/parts", "--swift-chunk-size", "1M")
        self.rclone("copyto", self.path, "s3:2016-06-11/s3-whole")
        self.rclone("copyto", self.path, "s3:2016-06-11/s3-parts", "--s3-chunk-size", "5M", "--s3-upload-cutoff", "5M")
        self.rclone("copyto", self.path, "folder:2016-06-11/whole")
        run("sh", "-c", f"rclone rcat swift:2016-06-11/stream --size {len(self.data)} <{self.path}", env=rclone_environment(self.config))
        whole = dict.fromkeys(("s3-parts", "s3-whole", "shards/data", "stream"), len(self.data))
        self.assertEqual(self.swift.listing("2016-06-11"), whole | {"parts": 0})
        self.assertEqual(sorted(self.swift.listing("2016-06-11_segments", "parts/").values()), [1] + 6 * [MIB])
        self.assertEqual(self.swift.containers(), ["2016-06-11", "2016-06-11+segments", "2016-06-11_segments"])
        for remote in ("swift:2016-06-11/shards/data", "swift:2016-06-11/parts", "s3:2016-06-11/s3-whole",
                       "s3:2016-06-11/s3-parts", "swift:2016-06-11/s3-parts", "folder:2016-06-11/whole"):
            self.assertEqual(self.rclone("cat", remote)[0], self.data, remote)
        self.swift.client("download", "2016-06-11", "parts", "-o", self.folder / "back")
        run("cmp", self.path, self.folder / "back")
        self.assertEqual(self.swift.file_of("2016-06-11", "shards/data").read_bytes(), self.data)
        os.truncate(self.swift.file_of("2016-06-11", "shards/data"), MIB)
        self.swift.client("download", "2016-06-11", "shards/data", "-o", "/dev/null", code=1)

    def refusals(self):
        """Of a store that is full, and of one that may only be read."""
        self.rclone("copyto", self.path, "swift:day/first")
        for remote, words in (("swift-reader:day", "Operation forbidden"), ("s3-reader:day", "AccessDenied")):
            self.assertEqual(self.rclone("cat", f"{remote}/first")[0], self.data)
            self.assertIn(words, self.rclone("copyto", self.path, f"{remote}/second", code=1)[1])
        self.swift.limit(8 * MIB, "day")
        self.assertIn("Too Large Object", self.rclone("copyto", self.path, "swift:day/second", code=1)[1])
        self.swift.limit(None, "day")
        self.swift.refresh()
        self.swift.limit(8 * MIB)
        self.assertIn("Too Large Object", self.rclone("copyto", self.path, "swift:other/second", code=1)[1])
        self.assertIn("EntityTooLarge", self.rclone("copyto", self.path, "s3:day/second", code=1)[1])
        self.assertEqual(self.swift.listing("day"), {"first": len(self.data)})
        self.swift.limit(None)
        self.rclone("copyto", self.path, "s3:day/second")

    def bad_line(self):
        """A relay cuts once, and the next connection is served; a slow one takes its time."""
        relayed = self.relayed()
        self.rclone("copyto", self.path, "swift:line/data")
        self.relay.cut_after(3 * MIB)
        self.assertLess(len(self.rclone("cat", "swift:line/data", config=relayed, code=5)[0]), 3 * MIB)
        self.assertEqual(self.rclone("cat", "swift:line/data", config=relayed)[0], self.data)
        self.relay.rate = 8 * MIB
        begun = time.monotonic()
        self.rclone("copyto", self.path, "swift:line/slowly", config=relayed)
        self.assertGreater(time.monotonic() - begun, len(self.data) / self.relay.rate)

    def killed_proxy(self):
        """In the middle of an upload; what was there before is there afterwards."""
        self.rclone("copyto", self.path, "swift:killed/before")
        relayed = self.relayed()
        self.relay.stop_after(3 * MIB)
        command = ["rclone", "copyto", self.path, "swift:killed/during", "--retries", "10000", "--retries-sleep", "100ms"]
        with subprocess.Popen(command, env=rclone_environment(relayed), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as upload:
            self.relay.wait_until_stopped()
            self.swift.kill_proxy()
            self.relay.go_on()
            self.swift.start_proxy()
            said = upload.communicate(timeout=HANG)[1]
        self.assertEqual(upload.returncode, 0, said)
        self.assertEqual(self.swift.listing("killed"), dict.fromkeys(("before", "during"), len(self.data)))
        self.swift.stop_proxy()
        self.assertIn("connection refused", self.rclone("lsf", "swift:", code=1)[1])
