"""What tests/house finds amiss in a small house, and the hardening of what is built."""

import importlib.machinery
import importlib.util
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib.mount import INFLUXFS

TESTS = Path(__file__).resolve().parents[1]
MAP = """## The house

```
fs/             files
  top
store/          all else
  upper/        words
    one two
  lower/
    base         what all need
```
"""


def load_house():
    loader = importlib.machinery.SourceFileLoader("house", str(TESTS / "house"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("house", loader))
    loader.exec_module(module)
    return module


def function(name, lines, static=""):
    return f"{static}void {name}(void)\n{{\n" + "    ;\n" * (lines - 3) + "}\n"


class HouseTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.top = Path(folder.name)
        self.write("README.md", MAP)
        for path in ("fs/top", "store/upper/one", "store/upper/two", "store/lower/base"):
            self.write(f"{path}.c", "")
            self.write(f"{path}.h", "")

    def write(self, path, text):
        (self.top / path).parent.mkdir(parents=True, exist_ok=True)
        (self.top / path).write_text(text)

    def amiss(self, build=None):
        return list(load_house().check(self.top, build))

    def assert_amiss(self, *words):
        found = self.amiss()
        self.assertEqual(len(found), 1, found)
        for word in words:
            self.assertIn(word, found[0])

    def test_nothing(self):
        self.write("fs/top.c", '#include "store/upper/one.h"\n' + function("run", 60) + function("top_run", 60, "static "))
        self.write("store/upper/one.c", '#include "store/upper/two.h"\n' + function("some", 12, "static "))
        self.write("store/upper/two.h", '#include "store/lower/base.h"\nstruct two {\n};\nstruct one;\n')
        self.write("store/upper/two_internal.h", "struct two {\n};\n" + "\n" * 497)
        self.assertEqual(self.amiss(), [])

    def test_circle(self):
        self.write("store/upper/one.c", '#include "store/upper/two.h"\n')
        self.write("store/upper/two.c", '#include "store/upper/one.h"\n')
        self.assert_amiss("include each other", "store/upper/one", "store/upper/two")

    def test_circle_of_calls(self):
        # By headers alone there is none: both declare what they call.
        build = self.top / "build"
        for name, other in (("one", "two"), ("two", "one")):
            self.write(f"store/upper/{name}.c", f"void {other}(void);\nvoid {name}(void)\n{{\n    {other}();\n}}\n")
            (build / "store/upper").mkdir(parents=True, exist_ok=True)
            subprocess.run(["gcc", "-c", "-o", build / f"store/upper/{name}.o", self.top / f"store/upper/{name}.c"],
                           check=True)
        self.assertEqual(self.amiss(), [])
        self.assertEqual(self.amiss(build), ["these call each other: store/upper/one store/upper/two"])

    def test_upwards(self):
        self.write("store/lower/base.c", '#include "store/upper/one.h"\n')
        self.assert_amiss("store/lower/base.c", "above")

    def test_two_programs(self):
        self.write("README.md", MAP.replace("store/  ", "mount-helper/  a program\n  help.me\nstore/  ", 1))
        self.write("mount-helper/help.me.c", '#include "store/upper/one.h"\n')
        self.assertEqual(self.amiss(), [])
        self.write("fs/top.c", '#include "mount-helper/help.me.h"\n')
        self.write("mount-helper/help.me.h", "")
        self.assert_amiss("fs/top.c includes mount-helper/help.me.h", "another program's")

    def test_fuse(self):
        self.write("store/upper/one.c", "#include <fuse_lowlevel.h>\n")
        self.assert_amiss("store/upper/one.c includes FUSE")

    def test_map(self):
        self.write("store/upper/three.c", "")
        self.assert_amiss("store/upper/", "lacks three")
        self.write("README.md", MAP.replace("one two", "one two three four"))
        self.assert_amiss("store/upper/", "not there: four")

    def test_sizes(self):
        self.write("fs/top.c", "\n" * 501)
        self.assert_amiss("fs/top.c has 501 lines")
        self.write("fs/top.c", function("run", 61))
        self.assert_amiss("fs/top.c:1: run has 61 lines")
        self.write("fs/top.c", "\n" + function("some", 13, "static "))
        self.assert_amiss("fs/top.c:2: some", "bears no word")

    def test_twice(self):
        self.write("store/upper/one.h", "struct thing {\n};\n")
        self.write("store/lower/base.h", "struct thing {\n};\n")
        self.assert_amiss("the type thing", "store/upper/one.h", "store/lower/base.h")
        self.write("store/lower/base.h", "")
        self.write("fs/one.c", "")
        self.write("README.md", MAP.replace("  top", "  top one"))
        self.assert_amiss("one.[ch]", "fs", "store/upper")


class HardeningTest(unittest.TestCase):
    def test_programs(self):
        if Path(INFLUXFS).parent.name not in ("build", "build-clang"):
            self.skipTest("a build with switches is not hardened")
        for program in (INFLUXFS, *map(Path(INFLUXFS).with_name, ("influxsnap", "mount.influxfs"))):
            headers = subprocess.run(["readelf", "-hldW", program], capture_output=True, text=True, check=True).stdout
            symbols = subprocess.run(["nm", "-D", program], capture_output=True, text=True, check=True).stdout
            with self.subTest(program):
                self.assertRegex(headers, r"Type: +DYN")
                self.assertIn("GNU_RELRO", headers)
                self.assertRegex(headers, r"FLAGS.*NOW")
                self.assertIn("__stack_chk_fail", symbols)
                self.assertRegex(symbols, r"__\w+_chk")
