"""The table: a line for each measure, printed as soon as it is known."""

import os
import shutil
import sys

HEAD = ("measure", "ours", "theirs", "ratio", "min–max", "target", "")
WIDTHS = (62, 10, 10, 6, 11, 8, 8)


class Table:
    def __init__(self, most=None):
        self.most = most    # files or series of a store
        self.missed = 0
        self.conditions = ""
        self.panels = {}    # what grows -> line -> [(size, value)]

    def start(self):
        load = os.getloadavg()[0]
        self.conditions = f"{os.cpu_count()} processors, load {load:.1f} at the start"
        print(self.conditions + (": other work disturbs these numbers" if load > 0.5 else ""))
        self._line(*HEAD)
        self._line(*("-" * (width - (width > 40)) for width in WIDTHS))

    def pairs(self, measure, pairs, most=None, least=None, unit="s"):
        """A row of Pairs: ours against theirs, their ratio at most or at least that."""
        ratio = pairs.ratio
        self._row(measure, amount(pairs.ours, unit), amount(pairs.theirs, unit), f"{ratio:.2f}",
                  f"{pairs.least:.2f}–{pairs.most:.2f}", ratio, most, least, "{:.2f}")

    def single(self, measure, values, unit, most=None, least=None):
        """A row of our own values only, the median of which is to be at most or at least that."""
        values = sorted(values)
        middle = values[len(values) // 2]
        spread = f"{values[0]:.3g}–{values[-1]:.3g}" if len(values) > 1 else ""
        self._row(measure, amount(middle, unit), "", "", spread, middle, most, least, "{:.3g} " + unit)

    def share(self, measure, value, most):
        """A row of one ratio that has no time."""
        self._row(measure, "", "", f"{value:.3f}", "", value, most, None, "{:.2f}")

    def growth(self, panel, line, size, value):
        """A point of the plot."""
        self.panels.setdefault(panel, {}).setdefault(line, []).append((size, value))

    def beyond(self, size, what):
        """Whether it is not to be measured, which is said then."""
        if self.most is None or size <= self.most:
            return False
        self.note(f"{what}: not measured, since --most={self.most}")
        return True

    def note(self, text):
        print(f"    {text}", flush=True)

    def end(self, seconds):
        print(f"{self.missed} of the targets not met; took {seconds:.0f} s, load {os.getloadavg()[0]:.1f} at the end")

    def _row(self, measure, ours, theirs, ratio, spread, value, most, least, form):
        target = verdict = ""
        if most is not None or least is not None:
            met = value <= most if most is not None else value >= least
            self.missed += not met
            target = ("≤ " if most is not None else "≥ ") + form.format(most if most is not None else least)
            verdict = "met" if met else "NOT MET"
        clear_progress()
        self._line(measure, ours, theirs, ratio, spread, target, verdict)

    def _line(self, measure, *rest):
        first, *widths = WIDTHS
        print(f"{measure:<{first}}" + " ".join(f"{word:>{width}}" for word, width in zip(rest, widths)), flush=True)


def amount(value, unit):
    return f"{value:.2f} {unit}" if value < 100 else f"{value:.0f} {unit}"


def progress(text):
    """On a terminal: what is being done just now."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}"[:shutil.get_terminal_size().columns + 3], end="", file=sys.stderr, flush=True)


def clear_progress():
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
