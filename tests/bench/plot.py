"""What a run has measured as it grows, as one SVG: a panel for each kind of size, both axes by powers of ten.
It needs nothing else: colours that differ in brightness too, a mark and a name at each line, and words for those
who do not see it."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 430, 310, 58, 158, 38, 50
COLOURS = ("#0b5394", "#b45f06", "#38761d", "#741b47", "#000000", "#808000")
MARKS = ("circle", "square", "circle", "square", "circle", "square")
FEWEST = 2  # points of a line


def write_plot(path, panels, conditions):
    """panels: title (what against what, with units) -> line's name -> [(x, y)]."""
    drawn = {title: kept for title, lines in panels.items() if (kept := long_enough(lines))}
    if not drawn:
        raise ValueError("nothing was measured as it grows: there is nothing to plot")
    body = "".join(panel(number, title, lines) for number, (title, lines) in enumerate(drawn.items()))
    words = "; ".join(f"{title}: " + ", ".join(
        f"{name} {number(points[0][1])} at {number(points[0][0])} and {number(points[-1][1])} at {number(points[-1][0])}"
        for name, points in lines.items()) for title, lines in drawn.items())
    width = WIDTH * len(drawn)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" role="img" aria-labelledby="t d" '
        f'font-family="sans-serif" font-size="11">\n<title id="t">Growth, measured by make bench</title>\n'
        f'<desc id="d">{escape(words)}</desc>\n<rect width="{width}" height="{HEIGHT}" fill="#fff"/>\n{body}'
        f'<text x="{LEFT}" y="{HEIGHT - 10}" fill="#444">{escape(conditions)}</text>\n</svg>\n')


def long_enough(lines):
    found = {name: sorted((x, y) for x, y in points if y > 0) for name, points in lines.items()}
    return {name: points for name, points in found.items() if len(points) >= FEWEST}


class Axis:
    """Powers of ten from the one below the least value to the one above the greatest."""

    def __init__(self, values, start, end):
        self.first = math.floor(math.log10(min(values)))
        self.last = max(math.ceil(math.log10(max(values))), self.first + 1)
        self.start, self.end = start, end

    def place(self, value):
        return self.start + (math.log10(value) - self.first) / (self.last - self.first) * (self.end - self.start)

    def ticks(self):
        return [10.0**power for power in range(self.first, self.last + 1)]


def panel(index, title, lines):
    across = Axis([x for points in lines.values() for x, _ in points], LEFT, WIDTH - RIGHT)
    up = Axis([y for points in lines.values() for _, y in points], HEIGHT - BOTTOM, TOP)
    out = [f'<g transform="translate({index * WIDTH} 0)">', f'<text x="{LEFT}" y="20" font-weight="bold">{escape(title)}</text>']
    for value in across.ticks():
        x = across.place(value)
        out.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>'
                   f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{number(value)}</text>')
    for value in up.ticks():
        y = up.place(value)
        out.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
                   f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>')
    names = spread({name: up.place(points[-1][1]) for name, points in lines.items()})
    for which, (name, points) in enumerate(lines.items()):
        out.append(line(which, name, [(across.place(x), up.place(y)) for x, y in points], names[name]))
    return "\n".join(out) + "\n</g>\n"


def line(which, name, places, name_at):
    colour = COLOURS[which % len(COLOURS)]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    marks = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' if MARKS[which % len(MARKS)] == "circle" else
                    f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6"/>' for x, y in places)
    return (f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.5"/><g fill="{colour}">{marks}'
            f'<text x="{places[-1][0] + 8:.1f}" y="{name_at + 4:.1f}">{escape(name)}</text></g>')


def spread(wanted, room=12):
    """Where names stand beside the ends of their lines, without one upon another."""
    placed, last = {}, -math.inf
    for name, y in sorted(wanted.items(), key=lambda item: item[1]):
        placed[name] = last = max(y, last + room)
    return placed


def number(value):
    """With as many digits as tell something, such as 0.03, 12 and 300k."""
    for unit, word in ((10**6, "M"), (10**3, "k")):
        if value >= unit:
            return f"{value / unit:.3g}{word}"
    return f"{value:.2g}" if value < 100 else f"{value:.0f}"
