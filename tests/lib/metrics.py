"""Metrics as Prometheus reads them, and its own judge of them."""

import re
import shutil
import subprocess

from lib.files import CHECKOUT

PROMTOOL = shutil.which("promtool") or CHECKOUT / "build/promtool/usr/bin/promtool"
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Metrics(dict):
    """(name, labels) -> value, the labels a frozenset of pairs; types: name -> type."""

    def __init__(self, text):
        super().__init__()
        self.types = {}
        helped = set()
        for line in text.split("\n")[:-1]:
            if found := re.fullmatch(r"# (HELP|TYPE) (\w+) (.+)", line):
                if found[1] == "HELP":
                    helped.add(found[2])
                else:
                    self.types[found[2]] = found[3]
                continue
            found = re.fullmatch(r'(\w+)(?:\{(.*)\})? (-?[0-9.]+)', line)
            if not found or found[1] not in self.types or found[1] not in helped:
                raise AssertionError(f"not a metric: {line!r}")
            pairs = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[2] or "")
            labels = frozenset((key, re.sub(r"\\.", lambda escape: ESCAPES[escape[0]], value)) for key, value in pairs)
            if (found[1], labels) in self:
                raise AssertionError(f"twice: {line!r}")
            self[found[1], labels] = float(found[3]) if "." in found[3] else int(found[3])

    def of(self, name, **labels):
        """The value; None: there is none."""
        return self.get((f"influxfs_{name}", frozenset(labels.items())))

    def described(self):
        """{(name, type, names of labels)}"""
        return {(name, self.types[name], tuple(sorted(key for key, _ in labels))) for name, labels in self}


def promtool_check(text):
    """Prometheus' own opinion of the text: complaints, or ''."""
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout if done.returncode or done.stdout else ""
