"""influxfs-recipes(7), as its tests read it: the literal blocks below each heading."""

import functools

from lib.case import StoreTest
from lib.files import CHECKOUT
from lib.world import World, why_no_worlds

PAGE = CHECKOUT / "man/influxfs-recipes.7"

CONFIG = """\
reporting-disabled = true

[meta]
  dir = "/var/lib/influxdb/meta"

[data]
  dir = "/var/lib/influxdb/data"
  wal-dir = "/var/lib/influxdb/wal"

# What influxd would note by itself would tell one state from another.
[monitor]
  store-enabled = false
"""

DAY = 1465603200  # 2016-06-11, in UTC
NOISE = 40000     # values that hardly compress, so that snapshots have some length


BLOCK = ".Bd -literal -offset 2n"
LEFT = 7  # columns before a line of such a block


def blocks():
    """The blocks by the heading (.Sh or .Ss) that they stand below: as man(1) shows them, and as they
    are pasted from there."""
    found = {}
    heading, lines = None, None
    for line in PAGE.read_text().splitlines():
        if line.startswith((".Sh ", ".Ss ")):
            heading = line[4:]
        elif line == BLOCK:
            lines = []
        elif line == ".Ed":
            found.setdefault(heading, []).append("\n".join(lines) + "\n")
            lines = None
        elif lines is not None:
            lines.append(f"{'':{LEFT}}{line}".replace("\\e", "\\"))
    return found


def recipe(*titles):
    """A test of all blocks below these headings: one that it does not take is a failure."""
    def of(method):
        @functools.wraps(method)
        def whole(self):
            found = blocks()
            self.untaken = {(title, number) for title in titles for number in range(len(found[title]))}
            method(self)
            self.assertEqual(self.untaken, set(), "blocks that no test takes")
        whole.titles = titles
        return whole
    return of


class RecipeTest(StoreTest):
    """self.db is a host with a running influxd, whose answers are self.before."""

    def setUp(self):
        super().setUp()
        if reason := why_no_worlds():
            self.skipTest(f"no host of the test's own: {reason}")
        self.db = self.enterContext(World(self.folder, "db"))
        self.db.put("etc/influxdb/influxdb.conf", CONFIG)
        self.db.sh("""
            chown influxdb: /var/lib/influxdb
            mkdir -p /srv/backups
            systemctl start influxdb""")
        self.fill()
        self.before = self.answers()

    def block(self, title, number=0):
        """Its text, which counts as tested from now on."""
        self.untaken.discard((title, number))
        return blocks()[title][number]

    def do(self, title, number=0, host=None, **how):
        """Runs a block as printed."""
        return (host or self.db).sh(self.block(title, number), **how)

    def ask(self, query, host=None):
        host = host or self.db
        host.put("tmp/query", query)
        return host.sh("curl -fsS http://127.0.0.1:8086/query -d db=sensu_db --data-urlencode q@/tmp/query").out

    def write(self, *lines, host=None):
        (host or self.db).put("tmp/points", "\n".join(lines) + "\n")
        (host or self.db).sh("""
            curl -fsS --data-binary @/tmp/points 'http://127.0.0.1:8086/write?db=sensu_db&rp=default'""")

    def fill(self):
        """Some days of a measurement, with one user, and enough of another to make pieces of."""
        self.ask('CREATE DATABASE sensu_db WITH DURATION INF SHARD DURATION 1d NAME "default"')
        self.ask("CREATE USER grafana WITH PASSWORD 'secret'")
        self.write(*(f"cpu,host=h{number % 3} idle={number * 7 % 100}.5,free={number}i {DAY + number * 3600}000000000"
                     for number in range(72)))
        self.write(*(f"noise v={number * 2654435761 % 2**32}i {DAY + number}000000000" for number in range(NOISE)))

    def answers(self, host=None):
        """What influxd has: points, databases and users."""
        return "".join(self.ask(query, host) for query in (
            "SHOW DATABASES", "SHOW USERS", "SHOW RETENTION POLICIES", "SELECT * FROM cpu",
            "SELECT sum(v), count(v) FROM noise"))

    def lose(self, host=None):
        """The accident after which backups are wanted."""
        self.ask("DROP MEASUREMENT cpu", host)
        self.write("other v=1", host=host)
        self.assertNotEqual(self.answers(host), self.before)

    def check_back(self, host=None):
        self.assertEqual(self.answers(host), self.before)

    def mount_store(self):
        """As the page begins; then the first cut has been made, too."""
        self.do("DESCRIPTION", 0)
        self.db.sh("until [ -e /mnt/influx/snapshots/base.tar ]; do sleep 0.1; done")
