"""Each fuzz target over its corpus, and a moment beyond it; `make fuzz` and `make soak` go on."""

from lib.case import StoreTest
from lib.fuzzers import TARGETS, corpus, fuzz, program

SECONDS = 2


class FuzzTest(StoreTest):

    def check(self, target):
        if not program(target).exists():
            self.skipTest("make FUZZ=1 fuzzers")
        seeds = sum(1 for _ in corpus(target).iterdir())
        self.assertGreater(seeds, 0)
        ran = fuzz(target, "-runs=0", corpus(target))
        self.assertTrue(ran.ok, ran.output)
        self.assertGreaterEqual(ran.inputs, seeds)
        new = self.folder / "corpus"
        new.mkdir()
        ran = fuzz(target, "-seed=1", f"-max_total_time={SECONDS}", new, corpus(target))
        self.assertTrue(ran.ok, ran.output)


def add_test(target):
    setattr(FuzzTest, f"test_{target}", lambda self: self.check(target))


for name in TARGETS:
    add_test(name)
