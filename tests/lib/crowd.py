"""A measurement of very many series as a busy influxd keeps it: three days, most of it in TSM files, the
last of it in the WAL, some of it written twice. What a series holds follows from its number, so that the
whole text is known; and influxd, which would take gigabytes for that, can be asked for samples."""

import random
import re
import subprocess
import threading
from itertools import islice
from pathlib import Path

from lib.dumps import answer, quoted, rfc3339, whole
from lib.dumptree import DAY, path
from lib.files import HANG, wait_until
from lib.influxd import tsm_files
from lib.measurements import START

DB, RP, MEASUREMENT = "db", "rp", "m"
END = START + 3 * DAY
FORMS = ("lp", "json", "csv")
BATCH = 20_000      # lines of a write
SECONDS = 3600      # in which all series report, many at the same time
FEW = 500           # series that have points on the third day, each at a time of its own
EIGHTHS = ("", ".125", ".25", ".375", ".5", ".625", ".75", ".875")
SETTINGS = {"index": "tsi1", "max_series_per_database": 0, "max_values_per_tag": 0}
LOAD = 200          # lines of a write while the texts are read
PAUSE = 0.02
SAMPLES = 8


def series_of(number):
    return f"{MEASUREMENT},host=h{number:07d},rack=r{number % 40}"


def fields_of(value):
    return f'f={value // 8}{EIGHTHS[value % 8]},i={value}i,s="{value:x}"'


class Crowd:
    """So many series; at least FEW."""

    def __init__(self, count):
        self.count = count
        self.apart = count // FEW

    def early(self):
        """(number, time, value) of what is written first."""
        for number in range(self.count):
            yield number, START + number % SECONDS * 10**9, number
        for number in range(0, self.count, 3):
            yield number, START + DAY + number % SECONDS * 10**9, number + 1
        for number in range(0, self.count, self.apart):
            yield number, START + 2 * DAY + number * 10**6, number + 2

    def late(self):
        """Of what is written last: points that were there before, and points of their own."""
        for number in range(0, self.count, 100):
            yield number, START + number % SECONDS * 10**9, number + 3
        for number in range(0, self.count, 70):
            yield number, START + DAY + SECONDS * 10**9 + number * 10**6, number + 4

    def rows(self, number):
        """time -> value of one series."""
        rows = {START + number % SECONDS * 10**9: number + 3 if number % 100 == 0 else number}
        if number % 3 == 0:
            rows[START + DAY + number % SECONDS * 10**9] = number + 1
        if number % 70 == 0:
            rows[START + DAY + SECONDS * 10**9 + number * 10**6] = number + 4
        if number % self.apart == 0:
            rows[START + 2 * DAY + number * 10**6] = number + 2
        return rows

    def rows_in_all(self):
        return sum(len(self.rows(number)) for number in range(self.count))

    def text(self):
        """All of it as line protocol, series by series."""
        for number in range(self.count):
            series = series_of(number)
            yield "".join(f"{series} {fields_of(value)} {time}\n" for time, value in self.rows(number).items()).encode()

    def fill(self, influxd, progress=lambda written: None):
        """What is written last stays in the WAL for some time, if the cache is not tiny."""
        influxd.run(f'CREATE DATABASE {DB} WITH DURATION INF SHARD DURATION 1d NAME "{RP}"')
        write(influxd, self.early(), progress)
        wait_until(lambda: tsm_files(influxd.root), 30, "influxd to flush")
        write(influxd, self.late(), progress)


def write(influxd, points, progress):
    points, written = iter(points), 0
    while batch := [f"{series_of(number)} {fields_of(value)} {time}" for number, time, value in islice(points, BATCH)]:
        influxd.write(batch, DB, RP)
        written += len(batch)
        progress(written)


class Traffic(threading.Thread):
    """with Traffic(influxd, count): … others write meanwhile: to the same measurement on later days, and
    another one on the days that are read, whose shards change by that and are flushed and compacted."""

    def __init__(self, influxd, count):
        super().__init__(daemon=True)
        self.influxd, self.random, self.count = influxd, random.Random(1), count
        self.stopping, self.error, self.written = threading.Event(), None, 0

    def run(self):
        try:
            while not self.stopping.wait(PAUSE):
                self.influxd.write(list(self.lines()), DB, RP)
                self.written += LOAD
        except Exception as error:  # is raised again in the test's own thread
            self.error = error

    def lines(self):
        for number in self.random.sample(range(self.count), LOAD // 2):
            at = self.random.randrange(DAY)
            yield f"{series_of(number)} {fields_of(number)} {END + DAY + at}"
            yield f"other,host=h{number:07d} {fields_of(number)} {START + number % 3 * DAY + at}"

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.join(HANG)
        if self.error:
            raise AssertionError("the traffic failed") from self.error


def read_by_four(mnt, folder):
    """Reads the three days by three readers of a form each, and by one who begins in the middle of the JSON.
    Returns the copies: form -> its path, and "rest" -> that of the last reader."""
    names = {form: Path(path(mnt, form, DB, RP, MEASUREMENT, START, END).decode()) for form in FORMS}
    half = names["json"].stat().st_size // 2
    commands = {form: ["cat", name] for form, name in names.items()} | {"rest": ["tail", "-c", f"+{half + 1}", names["json"]]}
    copies = {what: folder / what for what in commands}
    readers = {}
    for what, command in commands.items():
        with copies[what].open("wb") as copy:
            readers[what] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=copy)
    failed = [what for what, reader in readers.items() if reader.wait(HANG)]
    if failed:
        raise AssertionError(f"the readers of {failed} failed: {mnt.said()}")
    return copies


def wrong_texts(crowd, influxd, copies):
    """What is wrong with what was read. Of line protocol every byte is known; of the others influxd answers
    for a day, and for some series."""
    wrong = [] if lines_are(crowd, copies["lp"]) else ["lp is not what was written"]
    if not copies["json"].read_bytes().endswith(copies["rest"].read_bytes()):
        wrong.append("what was read from the middle is not the end of the JSON")
    hosts = some_hosts(crowd)
    for form in ("json", "csv"):
        text = Answer(form, copies[form].read_bytes())
        day = Answer(form, answer(influxd, form, DB, RP, MEASUREMENT, START + 2 * DAY, END))
        if len(text.rows) != crowd.rows_in_all():
            wrong.append(f"{form} has {len(text.rows)} rows, not {crowd.rows_in_all()}")
        if (text.head, text.rows[-len(day.rows):]) != (day.head, day.rows) or len(day.rows) < FEW:
            wrong.append(f"{form}: the third day is not what influxd answers")
        if text.of(hosts) != of_hosts(influxd, form, hosts).rows:
            wrong.append(f"{form}: the rows of {hosts} are not what influxd answers")
    return wrong


def lines_are(crowd, copy):
    with copy.open("rb") as file:
        return all(file.read(len(piece)) == piece for piece in crowd.text()) and not file.read(1)


class Answer:
    """head and rows of a text in JSON or CSV."""

    def __init__(self, form, text):
        head, start, rest = text.partition(b'"values":[[' if form == "json" else b"\n")
        self.head = head + start
        self.rows = rest.removesuffix(b"]]}]}]}\n").split(b"],[") if form == "json" else rest.splitlines()

    def of(self, hosts):
        """The rows of these hosts."""
        any_of = re.compile("|".join(hosts).encode()).search
        return [row for row in self.rows if any_of(row)]


def some_hosts(crowd):
    """At no time do two of them report: their order is no question."""
    rng = random.Random(crowd.count)
    last = (crowd.count - SECONDS) // SECONDS
    numbers = [which + SECONDS * rng.randint(0, last) for which in rng.sample(range(SECONDS), SAMPLES)]
    return [f"h{number:07d}" for number in sorted(numbers)]


def of_hosts(influxd, form, hosts):
    which = " OR ".join(f"host = '{host}'" for host in hosts)
    query = (f"SELECT * FROM {quoted(RP)}.{quoted(MEASUREMENT)} WHERE ({which}) "
             f"AND time >= '{rfc3339(START)}' AND time < '{rfc3339(END)}'")
    return Answer(form, whole(influxd.query(query, DB, accept="application/csv" if form == "csv" else None)))
