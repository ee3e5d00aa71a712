"""status.html: a page of a real mount, looked at in a real Chromium. What it looks like is kept in
build/screenshots/."""

import os
import subprocess
import xml.etree.ElementTree

from lib.browser import Browser
from lib.case import StoreTest
from lib.cuts import snap, snap_code
from lib.files import CHECKOUT, run
from lib.pagecheck import INJECTED, NAMES, STRANGE, TEXT, TOO_WIDE, UNSAID, WEAK_TEXTS
from lib.mount import Mount
from lib.restores import drop
from lib.stores import HandmadeStore, some_store, tsm, tsm_of

SCREENSHOTS = CHECKOUT / "build/screenshots"

# What influxd takes for the name of a database.
NAMES_TAKEN = ("<script>document.title=1;alert(1)<", "<img src=x onerror=alert(2)>", "\"'><svg onload=alert(3)>", "&lt;&amp;",
               "\u05e9\u05dc\u05d5\u05dd", "<bdi><h1>", "-->", "%3Cb%3E", "a" * 200, "\u65e5\u672c z\u0300\u0301\u0302")
# And what may lie in its folders all the same.
NAMES_ODD = (b"\xe2\x80\xaegnp.exe", b"\xff\xfe<b>", b"line\nbreak", b"\xef\xbb\xbf\xe2\x80\x8bunseen")
SHOWN_ODD = ("[U+202E]gnp.exe", "\ufffd\ufffd<b>", "line[U+000A]break", "[U+FEFF][U+200B]unseen")


def quoted(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


class PageTest(StoreTest):
    timeout = 300

    def page(self, mnt, name="status.html"):
        """As the mount has it now, and of the size that it says."""
        copy = self.folder / name
        with open(mnt / "status.html", "rb") as file:
            content = file.read()
            self.assertEqual(os.fstat(file.fileno()).st_size, len(content))
        copy.write_bytes(content)
        self.assertEqual(oct(os.stat(mnt / "status.html").st_mode), "0o100444")
        self.check(copy)
        return copy

    def check(self, path):
        """Well-formed, and valid HTML as far as Debian's checker knows it."""
        xml.etree.ElementTree.fromstring(path.read_bytes())
        done = subprocess.run(["tidy", "-quiet", "-errors", "-utf8", path], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def look(self, browser, page, kind):
        """At every width and in both schemes it is readable, and no wider than its window."""
        browser.open(page)
        for width in (320, 390, 800, 1200):
            for scheme in ("light", "dark"):
                browser.look(width, 844, scheme, phone=width < 500)
                with self.subTest(width=width, scheme=scheme):
                    self.assertEqual(browser.ask(TOO_WIDE), [])
                    self.assertEqual(browser.ask(WEAK_TEXTS), [])
                if width in (390, 1200):
                    self.keep(browser.screenshot, f"{kind}-{'phone' if width < 500 else 'desktop'}-{scheme}.png")
        browser.look(scheme="dark", media="print")
        self.assertEqual((browser.ask(WEAK_TEXTS), browser.ask("getComputedStyle(document.body).color")),
                         ([], "rgb(27, 34, 48)"), "paper is light, whatever its reader likes on a screen")
        self.keep(browser.print, f"{kind}.pdf")
        browser.look()
        self.assertEqual(browser.ask(UNSAID), [])
        self.assertEqual(browser.ask(STRANGE), [])
        self.assertEqual((browser.requests, browser.messages, browser.dialogs), ([page.as_uri()], [], []))

    def keep(self, make, name):
        make(SCREENSHOTS / name)
        self.assertGreater((SCREENSHOTS / name).stat().st_size, 1000)
        print(f"kept {SCREENSHOTS / name}")


class LivePageTest(PageTest):
    """A store that a real influxd has filled, with cuts, restores, a verification and a backup."""

    def setUp(self):
        super().setUp()
        self.root = self.folder / "influx"
        self.server = self.influxd(self.root)
        for number, name in enumerate(NAMES_TAKEN):
            self.server.run(f"CREATE DATABASE {quoted(name)}")
            self.fill(name, 50 * (number + 1))
        snap(self.server.config, "cut")
        for number in range(6):
            self.fill(NAMES_TAKEN[number], 300)
            snap(self.server.config, "cut")

    def fill(self, name, points):
        self.server.write((f"m,host=h{i % 7} v={i},t=\"{'x' * (i % 50)}\" {i * 10**9}" for i in range(points)), name)

    def refuse_and_restore(self, mnt):
        tar = (mnt / "snapshots/now.tar").read_bytes()
        self.server.stop()
        self.assertNotEqual(drop(mnt / "restore/torn.tar", tar[:len(tar) // 2]), 0)
        self.assertEqual(drop(mnt / "restore/whole.tar", tar), 0)

    def test_all_of_it(self):
        dropped, secrets = NAMES_TAKEN[-2], ("hunter2", "secret.example", "told-nobody")
        self.server.run("CREATE USER admin WITH PASSWORD 'hunter2' WITH ALL PRIVILEGES")
        self.server.run(f'CREATE SUBSCRIPTION "told-nobody" ON {quoted(NAMES_TAKEN[4])}."autogen" '
                        "DESTINATIONS ALL 'udp://secret.example:9999'")
        mnt = self.mount(self.server.config, options="keep=100,hide=dump,names=compact")
        self.server.run(f"DROP DATABASE {quoted(dropped)}")
        snap(self.server.config, "cut", "--guard=0.1%")
        self.refuse_and_restore(mnt)
        backup = self.folder / "backup.tar"
        snap(self.server.config, "backup", backup)
        snap(self.server.config, "verify", backup)
        page = self.page(mnt, "live.html")
        with Browser(self.folder / "chromium") as browser:
            self.look(browser, page, "live")
            text, names = browser.ask(TEXT), browser.ask(NAMES)
            radius = browser.ask("getComputedStyle(document.querySelector('main section')).borderRadius")
            self.assertEqual(radius, "10px", "the page's policy forbids its own style")
            self.assertEqual(browser.ask(INJECTED), [0, False])
        self.assertEqual([name for name in NAMES_TAKEN if name != dropped and name not in names], [])
        for words in ("1 thing needs a look", "Cut 6 lost more of the store than the guard allows", "whole.tar", "torn.tar",
                      str(backup), "not accepted", str(self.root / "data"), "influxsnap prune --accept-loss=6",
                      "at least 100 kept", "hide=dump, names=compact"):
            self.assertIn(words, text)
        self.assertNotRegex(page.read_text(), "|".join(secrets) + r"|\$2[aby]\$")


class HandmadePageTest(PageTest):

    def test_odd_names(self):
        """Of any bytes, in folders of shards that meta.db does not list."""
        store = HandmadeStore(self.folder / "store")
        store.shard("plain", tsm={"000000001-000000001.tsm": tsm_of(100000)})
        for name in NAMES_ODD:
            store.shard(os.fsdecode(name), listed=False, tsm={"000000001-000000001.tsm": tsm(b"x" * 50)})
        mnt = self.mount(store.write_meta())
        (mnt / "snapshots/now.tar").read_bytes()
        page = self.page(mnt)
        with Browser(self.folder / "chromium") as browser:
            self.look(browser, page, "odd")
            text, names = browser.ask(TEXT), browser.ask(NAMES)
        self.assertEqual([name for name in SHOWN_ODD if name not in names], [])
        self.assertIn("The last snapshot left out 4 items of the store", text)
        self.assertNotIn("\u202e", page.read_text())

    def test_copied(self):
        """By tools that compare what they read with what they were told, while the page changes all
        the time; and so is status.json."""
        mnt = self.mount(some_store(self.folder / "store", 1))
        for _ in range(5):
            for name in ("status.html", "status.json"):
                (mnt / "live/meta/meta.db").read_bytes()  # is counted
                run("tar", "-cf", self.folder / "page.tar", "-C", mnt.point, name)
                run("rsync", "-a", mnt / name, self.folder / "page")
                run("cp", mnt / name, self.folder / "page")

    def test_relative_mount_point(self):
        """The page tells it in full: its reader is somewhere else."""
        class FromThere(Mount):
            def command(self):
                return ["env", "-C", self.point.parent, *super().command()[:-1], self.point.name]

        with FromThere(some_store(self.folder / "store", 1), self.folder / "mnt") as mnt:
            self.assertIn(f'Mounted on</dt><dd><bdi class="name">{mnt.point}</bdi>', (mnt / "status.html").read_text())

    def test_without_a_mount(self):
        """By influxsnap, which knows no more than the store and the state folder do."""
        store = some_store(self.folder / "store", 1)
        snap(store, "cut")
        printed = self.folder / "printed.html"
        printed.write_text(snap(store, "status", "--html"))
        self.check(printed)
        text = printed.read_text()
        self.assertIn("All is well", text)
        self.assertIn("second db", text)
        self.assertNotIn("This mount", text)
        kept = self.folder / "kept.html"
        snap(store, "status", "--html", f"--output={kept}", umask=0o077)
        self.assertEqual(kept.stat().st_mode & 0o777, 0o644)
        self.check(kept)
        (store / "influxfs/cuts/base").write_text("torn")
        self.assertIn("The cuts are damaged", snap(store, "status", "--html"))
        self.assertEqual(snap_code(store, "status", "--html", "--json")[0], 2)

    def test_empty_store(self):
        mnt = self.mount(HandmadeStore(self.folder / "store").write_meta())
        page = self.page(mnt)
        with Browser(self.folder / "chromium") as browser:
            self.look(browser, page, "empty")
            self.assertIn("All is well", browser.ask(TEXT))
