"""The three nightly jobs, as an operator runs them, and a store for them to work on."""

import base64
import os
import random
import subprocess
from pathlib import Path

from lib.files import HANG
from lib.mount import INFLUXFS
from lib.objectstore import rclone_environment

PROGRAMS = Path(INFLUXFS).parent
DAY = "2016-06-11"
MIDNIGHT = 1465603200  # when it begins, in UTC


class Jobs:
    """jobs = Jobs(rclone_conf, "swift:"); jobs.run("archive", store, "--legacy")"""

    def __init__(self, config, remote):
        self.environment = rclone_environment(config)
        self.remote = remote

    def command(self, job, store, *words, day=DAY):
        """As run() has it; the name of a remote given with the words counts."""
        words = [str(word) for word in words]
        remote = [] if any(word.startswith("--remote=") for word in words) else [f"--remote={self.remote}"]
        dated = [f"--day={day}"] if day else []
        return [str(PROGRAMS / f"influxfs-{job}"), "-c", str(store), *remote, *dated, *words]

    def run(self, job, store, *words, code=0, day=DAY, environment=None):
        """What it says, with errors; it must exit with that code."""
        done = subprocess.run(self.command(job, store, *words, day=day), env=self.environment | (environment or {}),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=HANG, check=False)
        if done.returncode != code:
            raise AssertionError(f"{' '.join(done.args)}: exit {done.returncode}, not {code}\n{done.stdout}")
        return done.stdout

    def start(self, job, store, *words, day=DAY):
        """Running; its output is a pipe. It leads a process group, as a job of a shell does."""
        return subprocess.Popen(self.command(job, store, *words, day=day), env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                start_new_session=True)


def fill(influxd, *, noise=0):
    """Some days of the measurement that the page dumps, and one that has nothing on DAY; and so many kB of
    another one that do not compress."""
    influxd.run('CREATE DATABASE sensu_db WITH DURATION INF SHARD DURATION 1d NAME "default"')
    influxd.run("CREATE USER grafana WITH PASSWORD 'secret'")
    lines = [f"Aggregated_metrics,host=h{number % 3} idle={number * 7 % 100}.5,free={number}i "
             f"{MIDNIGHT + (number - 24) * 3600}000000000" for number in range(72)]
    lines += [f"earlier v={number} {MIDNIGHT - 3600 + number}000000000" for number in range(5)]
    influxd.write(lines, "sensu_db", "default")
    made = random.Random(11)
    for start in range(0, noise, 500):
        influxd.write([f'noise v="{base64.b64encode(made.randbytes(750)).decode()}" {MIDNIGHT + number}000000000'
                       for number in range(start, min(start + 500, noise))], "sensu_db", "default")


def answers(influxd):
    """What influxd has, byte for byte: points, databases and users."""
    return [influxd.query(query, "sensu_db") for query in (
        "SHOW DATABASES", "SHOW USERS", "SHOW RETENTION POLICIES", "SELECT * FROM Aggregated_metrics",
        "SELECT * FROM earlier", "SELECT count(v), first(v), last(v) FROM noise")]


def end(process):
    """A crash of the job, with the rclone that works for it."""
    os.killpg(process.pid, 9)
    process.wait(HANG)
    process.stdout.close()
