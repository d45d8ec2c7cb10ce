"""A little renderer: things seen from straight above under one soft lamp, shaped by signed distances in millimetres.

Deterministic on purpose: only +, -, *, / and sqrt on doubles (each exactly rounded by IEEE 754) and Python's seeded
generator, so every machine renders the same pixels.
"""

import random
from math import sqrt

SCALE = 4.0  # pixels a millimetre
LAMP = (-0.46, -0.56, 0.689)  # towards the lamp, from the upper left; y points down
HALF = (-0.2503, -0.3047, 0.9190)  # half-way between lamp and camera
SHADOW = (0.52, 0.66)  # where a shadow falls, in millimetres for each millimetre of height


def clamp(value, low=0.0, high=1.0):
    return low if value < low else high if value > high else value


def smooth(low, high, value):
    t = clamp((value - low) / (high - low))
    return t * t * (3.0 - 2.0 * t)


def mix(a, b, t):
    return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t)


class Frame:
    """Where a thing lies: its centre in millimetres and its turn, given as the slope of its x axis."""

    def __init__(self, x, y, slope=0.0):
        self.x, self.y = x, y
        self.c = 1.0 / sqrt(1.0 + slope * slope)
        self.s = slope * self.c

    def inward(self, x, y):
        return (x - self.x) * self.c + (y - self.y) * self.s, (y - self.y) * self.c - (x - self.x) * self.s

    def outward(self, x, y):
        return self.x + x * self.c - y * self.s, self.y + x * self.s + y * self.c


class Noise:
    """Value noise on a repeating grid."""

    def __init__(self, seed, size=64):
        source = random.Random(seed)
        self.size = size
        self.grid = [source.random() for _ in range(size * size)]

    def at(self, x, y):
        ix, iy = int(x // 1), int(y // 1)
        fx, fy = x - ix, y - iy
        fx, fy = fx * fx * (3.0 - 2.0 * fx), fy * fy * (3.0 - 2.0 * fy)
        n, grid = self.size, self.grid
        row, below = (iy % n) * n, ((iy + 1) % n) * n
        left, right = ix % n, (ix + 1) % n
        top = grid[row + left] + (grid[row + right] - grid[row + left]) * fx
        bottom = grid[below + left] + (grid[below + right] - grid[below + left]) * fx
        return top + (bottom - top) * fy


def box(hx, hy, r):
    """A rectangle of half sides hx, hy with rounded corners."""

    def distance(x, y):
        dx, dy = abs(x) - hx + r, abs(y) - hy + r
        if dx > 0.0 and dy > 0.0:
            return sqrt(dx * dx + dy * dy) - r
        return (dx if dx > dy else dy) - r

    return distance


def disc(cx, cy, r):
    return lambda x, y: sqrt((x - cx) * (x - cx) + (y - cy) * (y - cy)) - r


def ring(cx, cy, r, half_width):
    return lambda x, y: abs(sqrt((x - cx) * (x - cx) + (y - cy) * (y - cy)) - r) - half_width


def polygon(points):
    edges = list(zip(points, points[1:] + points[:1]))

    def distance(x, y):
        best, inside = 1e18, False
        for (ax, ay), (bx, by) in edges:
            ex, ey, wx, wy = bx - ax, by - ay, x - ax, y - ay
            t = clamp((wx * ex + wy * ey) / (ex * ex + ey * ey))
            dx, dy = wx - ex * t, wy - ey * t
            best = min(best, dx * dx + dy * dy)
            if (ay > y) != (by > y) and x < ax + ex * (y - ay) / ey:
                inside = not inside
        return -sqrt(best) if inside else sqrt(best)

    return distance


def union(*shapes):
    return lambda x, y: min(shape(x, y) for shape in shapes)


def without(shape, *holes):
    return lambda x, y: max(shape(x, y), *(-hole(x, y) for hole in holes))


class Matter:
    """How a surface answers light: own colour (linear), strength and sharpness of the highlight, share of mirror."""

    def __init__(self, colour, shine=0.1, sharp=4, mirror=0.0):
        self.colour, self.shine, self.sharp, self.mirror = colour, shine, sharp, mirror


def room(rx, ry, rz):
    """What a mirror sees: a dim room with one soft box near the lamp and a paler ceiling."""
    glow = smooth(0.80, 0.97, rx * LAMP[0] + ry * LAMP[1] + rz * LAMP[2])
    return 0.16 + 0.22 * smooth(-0.6, 1.0, rz - 0.7 * ry) + 1.35 * glow


def lit(matter, nx, ny, nz):
    toward = nx * LAMP[0] + ny * LAMP[1] + nz * LAMP[2]
    diffuse = 0.36 + 0.93 * (toward if toward > 0.0 else 0.0)
    gleam = nx * HALF[0] + ny * HALF[1] + nz * HALF[2]
    gleam = gleam if gleam > 0.0 else 0.0
    for _ in range(matter.sharp):
        gleam *= gleam
    gleam *= matter.shine
    seen = room(2.0 * nz * nx, 2.0 * nz * ny, 2.0 * nz * nz - 1.0) if matter.mirror else 0.0
    body = diffuse * (1.0 - matter.mirror)
    r, g, b = matter.colour
    seen *= matter.mirror
    return (r * (body + seen * 1.5) + gleam, g * (body + seen * 1.5) + gleam, b * (body + seen * 1.5) + gleam)


class Canvas:
    """Linear light, three doubles a pixel."""

    def __init__(self, width, height, ground):
        self.width, self.height = width, height
        self.light = [ground(x / SCALE, y / SCALE) for y in range(height) for x in range(width)]

    def place(self, frame, bounds, shape, height, matter, bevel=0.6, tilt=0.75):
        """Lays a thing of `height` millimetres on what is there: its shadow first, then its lit surface.

        `matter` is a Matter or a function of (x, y, distance) that gives one or (Matter, slope x, slope y).
        """
        x0, y0, x1, y1 = self.reach(frame, bounds, height)
        ox, oy = SHADOW[0] * height, SHADOW[1] * height
        ox, oy = ox * frame.c + oy * frame.s, oy * frame.c - ox * frame.s
        light, width = self.light, self.width
        for py in range(y0, y1):
            for px in range(x0, x1):
                x, y = frame.inward((px + 0.5) / SCALE, (py + 0.5) / SCALE)
                d = shape(x, y)
                cover = clamp(0.5 - d * SCALE)
                at = py * width + px
                under = light[at]
                if cover < 1.0:
                    keep = 1.0 - shade(shape, x, y, d, ox, oy, height)
                    under = (under[0] * keep, under[1] * keep, under[2] * keep)
                if cover > 0.0:
                    under = mix(under, surface(shape, matter, frame, x, y, d, bevel, tilt), cover)
                light[at] = under

    def reach(self, frame, bounds, height):
        x0, y0, x1, y1 = bounds
        corners = [frame.outward(x, y) for x, y in ((x0, y0), (x1, y0), (x0, y1), (x1, y1))]
        far = 2.2 * height + 2.0
        left, right = min(c[0] for c in corners) - far, max(c[0] for c in corners) + far
        top, bottom = min(c[1] for c in corners) - far, max(c[1] for c in corners) + far
        return (
            max(0, int(left * SCALE)), max(0, int(top * SCALE)),
            min(self.width, int(right * SCALE) + 1), min(self.height, int(bottom * SCALE) + 1),
        )  # fmt: skip

    def ink(self, frame, strokes, width, colour, strength=1.0):
        """Draws polylines (millimetres) of the given width; dark ink and white paint alike keep the light below."""
        covered = {}
        for stroke in strokes:
            points = [frame.outward(x, y) for x, y in stroke]
            for a, b in zip(points, points[1:]):
                self.line(covered, a, b, width)
        for at, cover in covered.items():
            under = self.light[at]
            bright = 1.15
            self.light[at] = mix(under, (colour[0] * bright, colour[1] * bright, colour[2] * bright), cover * strength)

    def line(self, covered, a, b, width):
        (ax, ay), (bx, by) = (a[0] * SCALE, a[1] * SCALE), (b[0] * SCALE, b[1] * SCALE)
        half = width * SCALE * 0.5
        ex, ey = bx - ax, by - ay
        length = ex * ex + ey * ey or 1e-9
        for py in range(max(0, int(min(ay, by) - half - 1)), min(self.height, int(max(ay, by) + half + 2))):
            for px in range(max(0, int(min(ax, bx) - half - 1)), min(self.width, int(max(ax, bx) + half + 2))):
                wx, wy = px + 0.5 - ax, py + 0.5 - ay
                t = clamp((wx * ex + wy * ey) / length)
                dx, dy = wx - ex * t, wy - ey * t
                cover = clamp(half + 0.5 - sqrt(dx * dx + dy * dy))
                if cover > 0.0:
                    at = py * self.width + px
                    covered[at] = max(covered.get(at, 0.0), cover)

    def write(self, frame, text, x, y, size, colour, weight=0.13, strength=1.0):
        """Letters `size` millimetres high, the first at (x, y) of the frame, y at their top."""
        self.ink(frame, letters(text, x, y, size), size * weight, colour, strength)

    def develop(self, seed, grain=1.6):
        """Light to bytes: lens falloff, a gamma of two (a square root, so exact), a little sensor noise."""
        noise = random.Random(seed)
        out = bytearray()
        cx, cy = self.width / 2.0, self.height / 2.0
        reach = 1.0 / (cx * cx + cy * cy)
        for index, pixel in enumerate(self.light):
            dx, dy = index % self.width - cx * 0.88, index // self.width - cy * 0.86
            fall = 1.08 - 0.46 * (dx * dx + dy * dy) * reach
            speck = (noise.random() + noise.random() - 1.0) * grain
            for channel in pixel:
                value = channel * fall
                value = value if value < 0.72 else 0.72 + (value - 0.72) / (1.0 + 2.2 * (value - 0.72))
                out.append(int(clamp(sqrt(value if value > 0.0 else 0.0) * 255.0 + speck + 0.5, 0.0, 255.0)))
        return bytes(out)


def shade(shape, x, y, d, ox, oy, height):
    near = 1.2 + height * 0.9
    contact = clamp(1.0 - d / near)
    dark = 0.34 * contact * contact
    cast = 0.0
    for step in (0.25, 0.5, 0.75, 1.0):
        soft = 0.18 + 0.42 * height * step
        cast = max(cast, 1.0 - smooth(-soft, soft, shape(x - ox * step, y - oy * step)))
    return 1.0 - (1.0 - dark) * (1.0 - 0.56 * cast)


def surface(shape, matter, frame, x, y, d, bevel, tilt):
    answer = matter(x, y, d) if callable(matter) else matter
    answer, nx, ny = answer if isinstance(answer, tuple) else (answer, 0.0, 0.0)
    if d > -bevel:
        step = 0.05
        gx = shape(x + step, y) - shape(x - step, y)
        gy = shape(x, y + step) - shape(x, y - step)
        norm = sqrt(gx * gx + gy * gy) or 1.0
        lean = tilt * clamp(1.0 + d / bevel)
        nx, ny = nx + gx / norm * lean, ny + gy / norm * lean
    flat = nx * nx + ny * ny
    if flat > 0.98:
        shrink = sqrt(0.98 / flat)
        nx, ny, flat = nx * shrink, ny * shrink, 0.98
    return lit(answer, nx * frame.c - ny * frame.s, nx * frame.s + ny * frame.c, sqrt(1.0 - flat))


# Letters are strokes on a grid four wide and six high: "xy" digits, ";" lifts the pen, "~" asks for rounded corners.
GLYPHS = {
    "A": "06 20 46;14 34", "B": "00 06;~06 26 46 45 44 43 23 13;~03 23 43 42 41 40 20 10 00", "C": "~41 40 20 00 01 05 06 26 46 45",
    "D": "00 06;~06 16 26 46 44 42 40 20 10 00", "E": "40 00 06 46;03 33", "F": "40 00 06;03 33", "G": "~41 40 20 00 02 04 06 26 46 45 43 33;33 23",
    "H": "00 06;40 46;03 43", "I": "00 06", "J": "~30 35 36 16 06 05", "K": "00 06;40 03 46", "L": "00 06 46", "M": "06 00 23 40 46",
    "N": "06 00 46 40", "O": "~20 00 01 05 06 26 46 45 41 40 20", "P": "00 06;~00 20 40 41 42 43 23 03", "Q": "~20 00 01 05 06 26 46 45 41 40 20;35 47",
    "R": "00 06;~00 20 40 41 42 43 23 03;23 46", "S": "~41 40 20 00 01 02 03 23 43 44 45 46 26 06 05", "T": "00 40;20 26",
    "U": "~00 02 04 06 26 46 44 42 40", "V": "00 26 40", "W": "00 16 22 36 40", "X": "00 46;40 06", "Y": "00 23 40;23 26", "Z": "00 40 06 46",
    "0": "~20 00 01 05 06 26 46 45 41 40 20", "1": "01 10 16", "2": "~01 00 20 40 41 42;42 06 46", "3": "~01 00 20 40 41 42 33 23;~23 33 44 45 46 26 06 05",
    "4": "36 30 04 44", "5": "40 00 02;~02 22 42 44 46 26 06", "6": "~41 40 20 00 02 05 06 26 46 45 44 43 23 03", "7": "00 40 16",
    "8": "~23 03 01 00 20 40 41 43 23 03 05 06 26 46 45 43 23", "9": "~05 06 26 46 44 41 40 20 00 01 02 03 23 43",
    "-": "13 33", "—": "03 43", "/": "06 40", ".": "06 06", ":": "12 12;15 15", "'": "00 01", "°": "~20 10 11 12 22 32 31 30 20", "+": "03 43;21 25",
}  # fmt: skip


def letters(text, x, y, size):
    unit, strokes = size / 6.0, []
    for letter in text:
        for part in filter(None, GLYPHS.get(letter, "").split(";")):
            points = [(float(p[0]), float(p[1])) for p in part.lstrip("~").split()]
            if part[0] == "~":
                points = rounded(rounded(points))
            strokes.append([(x + px * unit * 0.86, y + py * unit) for px, py in points])
        x += advance(letter) * unit
    return strokes


def advance(letter):
    return {" ": 3.0, "I": 1.7, ".": 1.7, ":": 3.2, "'": 1.7, "1": 3.2}.get(letter, 5.0)


def text_width(text, size):
    return sum(advance(letter) for letter in text) * size / 6.0 - size * 0.25


def rounded(points):
    """Chaikin's corner cutting, ends kept."""
    out = [points[0]]
    for (ax, ay), (bx, by) in zip(points, points[1:]):
        out += [(ax * 0.75 + bx * 0.25, ay * 0.75 + by * 0.25), (ax * 0.25 + bx * 0.75, ay * 0.25 + by * 0.75)]
    return out + [points[-1]]
