"""Every option that a program takes is in its --help and in its manual page, and no other."""

import re
import unittest
from pathlib import Path

from lib.cuts import INFLUXSNAP
from lib.files import CHECKOUT, run
from lib.mount import INFLUXFS

# What influxfs(1) describes of libfuse's and the kernel's own.
LIBFUSE = {"allow_other", "allow_root", "auto_unmount", "fsname", "rw"}


def page(name):
    return (CHECKOUT / "man" / name).read_text()


def helped(text):
    """The options of a --help: "-h", "--help", "keep" of "-o keep=N"."""
    lines = [line[:28] for line in text.splitlines() if re.match(r"  (    )?-", line)]
    return {word for line in lines for word in re.findall(r"(?:-o )(\w+)|(?<!\w)(--?[a-zA-Z][\w-]*)", line)
            for word in word if word and word != "-o"}


def described(text):
    """Those that have an item in a list of a manual page."""
    items = "\n".join(re.findall(r"(?m)^\.It (Fl .*|Cm .*)$", text))
    return ({f"-{name}" for name in re.findall(r"\bFl (-?[\w-]+)", items)} - {"-o"}
            | set(re.findall(r"\bCm (\w+)", re.sub(r"\bFl \S+ Ns = Ns Cm \w+", "", items))))


class OptionsTest(unittest.TestCase):
    def test_influxfs(self):
        shown = helped(run(INFLUXFS, "--help"))
        self.assertIn("keep_expired", shown)
        self.assertEqual(shown | LIBFUSE, described(page("influxfs.1").partition(".Ss The tree")[0]))

    def test_nightly(self):
        """Each has all of its options in its manual, and in no other place."""
        for job in ("archive", "fetch", "dump"):
            with self.subTest(job=job):
                name = f"influxfs-{job}"
                shown = helped(run(Path(INFLUXFS).with_name(name), "--help"))
                self.assertIn("--on-failure", shown)
                self.assertEqual(shown, described(page(f"{name}.1")))

    def test_influxsnap(self):
        text = page("influxsnap.1")
        synopsis = text.partition(".Sh SYNOPSIS")[2].partition(".Sh DESCRIPTION")[0].split(".Nm\n")[1:]
        common = helped(run(INFLUXSNAP, "--help"))
        known = set(common)
        for command in re.findall(r"(?m)^  ([\w-]+) ", run(INFLUXSNAP, "--help")):
            with self.subTest(command=command):
                own = helped(run(INFLUXSNAP, command, "--help"))
                lines = [form for form in synopsis if re.search(rf"(?m)^\.Cm .*\b{command}\b", form)]
                written = {f"-{name}" for form in lines for name in re.findall(r"Fl (-[\w-]+)", form)}
                self.assertEqual(own, written)
                self.assertFalse(own & common)
                known |= own
        self.assertEqual(known - {"--json"}, described(text))
        self.assertIn(".Fl -json", text)
