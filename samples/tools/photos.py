"""The three photographs: a phone, a bunch of keys, a notebook with a pen, each beside a scale, a marker and a label."""

from draw import Canvas, Frame, Matter, Noise, box, clamp, disc, letters, mix, polygon, ring, smooth, text_width, union, without
import jpeg

WIDTH, HEIGHT = 960, 720
CARD = Matter((0.80, 0.79, 0.75), 0.04, 3)
BLACK, RED, WHITE = (0.025, 0.025, 0.03), (0.50, 0.03, 0.03), (0.86, 0.86, 0.84)


def photographs():
    """(file name, function that returns its bytes), in order."""
    return [("IMG_0001.JPG", phone), ("IMG_0002.JPG", keys), ("IMG_0003.JPG", notebook)]


def phone():
    canvas = Canvas(WIDTH, HEIGHT, felt(11, (0.34, 0.35, 0.36)))
    scale(canvas, Frame(20, 152, 0.0), 153, 113)
    lie = Frame(122, 92, -12.0)  # on its side, camera to the left
    grain = Noise(5)

    def back(x, y, d):
        sweep = smooth(-90.0, 90.0, y * 0.8 + x)
        colour = mix((0.012, 0.055, 0.075), (0.03, 0.13, 0.15), sweep)
        streak = smooth(4.0, 0.0, abs(x * 0.9 + y * 0.55 + 22.0) - 7.0) * 0.05 + smooth(2.0, 0.0, abs(x * 0.9 + y * 0.55 + 2.0) - 1.5) * 0.03
        scuff = 0.006 * smooth(0.80, 0.95, grain.at(x * 0.9 + 100, y * 0.2 + 100))
        return Matter(tuple(c + streak + scuff for c in colour), 0.5, 6, 0.22)

    steel = Matter((0.42, 0.43, 0.45), 0.9, 5, 0.6)
    canvas.place(lie, (-36, -74, 36, 74), box(35.6, 73.4, 10.4), 8.0, steel, bevel=1.5, tilt=0.9)
    canvas.place(lie, (-36, -74, 36, 74), box(34.4, 72.2, 9.4), 0.25, back, bevel=1.4, tilt=0.5)
    canvas.place(lie, (-32, -70, -2, -36), lambda x, y: box(13.5, 15.5, 6.0)(x + 16.5, y + 52.5), 1.6, Matter((0.02, 0.06, 0.075), 0.6, 5, 0.28), bevel=1.0)
    for y in (-59.5, -45.5):
        lens(canvas, lie, -19.0, y)
    canvas.place(lie, (-11, -60, -5, -50), disc(-8.0, -57.5, 2.0), 0.1, Matter((0.78, 0.74, 0.60), 0.4, 4), bevel=0.8)
    canvas.place(lie, (-11, -60, -5, -40), disc(-8.0, -49.5, 0.7), 0.0, Matter((0.01, 0.01, 0.01)), bevel=0.3)
    mark = Frame(*lie.outward(0.0, 0.0), 1.0 / 12.0)
    canvas.ink(mark, [circle(0.0, 0.0, 7.0), [(-3.2, 0.3), (-0.8, 2.8), (3.6, -2.6)]], 0.9, (0.30, 0.40, 0.42), 0.8)
    for side, text in enumerate(("SAMPLE DATA", "MODEL S-0001  MADE FOR TESTS")):
        size = 3.0 if side == 0 else 1.8
        canvas.write(mark, text, 63.0 - text_width(text, size), 20.0 + side * 4.8, size, (0.30, 0.40, 0.42), strength=0.85)
    marker(canvas, Frame(64, 28, 0.06), "1")
    label(canvas, Frame(196, 29, 0.04), ["ITEM 1", "MOBILE PHONE", "2026-03-12  09:14"])
    return finish(canvas, 1, "09:14:02", "mobile phone, closed, on a grey mat")


def keys():
    canvas = Canvas(WIDTH, HEIGHT, wood(23))
    scale(canvas, Frame(24, 152, 0.0), 153, 103)
    brass, steel = Matter((0.50, 0.30, 0.065), 0.6, 5, 0.4), Matter((0.43, 0.44, 0.45), 0.8, 4, 0.6)
    hub = (104.0, 72.0)
    key(canvas, Frame(hub[0], hub[1], 0.62), brass, 46.0, (0.0, 1.6, 0.5, 2.1, 0.9, 1.7, 2.3, 0.4))
    key(canvas, Frame(hub[0], hub[1], 2.30), steel, 52.0, (0.6, 2.0, 1.1, 0.3, 1.9, 1.2, 2.2, 0.8))
    tag = Frame(hub[0], hub[1], -0.42)
    shape = without(union(lambda x, y: box(19.0, 11.0, 4.0)(x - 37.0, y), lambda x, y: box(8.0, 5.0, 4.5)(x - 16.5, y)), disc(13.0, 0.0, 2.6))
    canvas.place(tag, (8, -11, 56, 11), shape, 2.6, Matter((0.46, 0.035, 0.03), 0.35, 5, 0.06), bevel=1.6)
    canvas.place(tag, (22, -8, 52, 8), lambda x, y: box(14.6, 7.2, 1.6)(x - 37.5, y), 0.2, CARD, bevel=0.3)
    canvas.write(tag, "SAMPLE", 26.2, -4.9, 4.0, BLACK)
    canvas.write(tag, "NOT EVIDENCE", 26.0, 1.6, 2.1, RED)
    for radius, lift in ((13.0, 2.6), (12.4, 1.4)):
        canvas.place(Frame(*hub), (-15, -15, 15, 15), ring(0.0, 0.0, radius, 0.75), lift, Matter((0.5, 0.51, 0.53), 0.9, 4, 0.65), bevel=0.75, tilt=0.9)
    marker(canvas, Frame(54, 36, -0.08), "2")
    label(canvas, Frame(194, 122, -0.05), ["ITEM 2", "TWO KEYS AND FOB", "2026-03-12  09:21"])
    return finish(canvas, 2, "09:21:40", "two keys and a fob on a ring, on a wooden table")


def notebook():
    canvas = Canvas(WIDTH, HEIGHT, felt(31, (0.085, 0.13, 0.155)))
    scale(canvas, Frame(22, 152, 0.0), 153, 113)
    lie, grain = Frame(103, 75, 0.08), Noise(8)

    def pages(x, y, d):
        line = 0.06 * grain.at(3.0, abs(d) * 9.0 + 50.0)
        return Matter((0.66 + line, 0.63 + line, 0.54 + line), 0.02, 2)

    def cover(x, y, d):
        sx = (grain.at(x * 2.6 + 90, y * 2.6 + 90) - grain.at(x * 2.6 + 90.4, y * 2.6 + 90)) * 0.34
        sy = (grain.at(x * 2.6 + 90, y * 2.6 + 90) - grain.at(x * 2.6 + 90, y * 2.6 + 90.4)) * 0.34
        fold = smooth(1.6, 0.0, abs(x + 39.5)) * (0.34 if x > -39.5 else -0.34)
        worn = 0.05 * smooth(-4.0, 0.0, d) * grain.at(x * 0.7 + 200, y * 0.7 + 200)
        return Matter((0.070 + worn, 0.026 + worn * 0.6, 0.014 + worn * 0.4), 0.07, 4), sx + fold, sy

    canvas.place(lie, (-50, -68, 50, 68), lambda x, y: box(46.5, 65.0, 1.0)(x - 1.2, y - 0.6), 11.0, pages, bevel=0.5)
    canvas.place(lie, (-50, -68, 50, 68), box(47.0, 66.0, 3.2), 1.2, cover, bevel=1.6, tilt=0.65)
    band = Matter((0.02, 0.02, 0.022), 0.12, 3)
    canvas.place(lie, (32, -68, 42, 68), lambda x, y: box(2.0, 66.3, 0.6)(x - 37.0, y), 0.9, band, bevel=1.0)
    canvas.place(lie, (-26, -40, 26, -12), lambda x, y: box(24.0, 12.5, 1.4)(x + 2.0, y + 27.0), 0.25, CARD, bevel=0.25)
    canvas.ink(lie, [[(-24.0, -37.4), (20.0, -37.4), (20.0, -16.6), (-24.0, -16.6), (-24.0, -37.4)]], 0.35, RED)
    for text, y, size, colour in (("SAMPLE DATA", -35.0, 4.2, BLACK), ("SAMPLE — NOT EVIDENCE", -28.4, 2.3, RED), ("NOTEBOOK 0003 / BLANK PAGES", -23.4, 1.9, BLACK)):
        canvas.write(lie, text, -2.0 - text_width(text, size) / 2, y, size, colour)
    pen(canvas, Frame(180, 112, 3.6))
    stick(canvas, Frame(212, 98, 0.25))
    marker(canvas, Frame(30, 24, 0.10), "3")
    label(canvas, Frame(199, 28, -0.03), ["ITEM 3", "NOTEBOOK AND PEN", "2026-03-12  09:33"])
    return finish(canvas, 3, "09:33:17", "a closed notebook, a pen and a memory stick, on a dark mat")


# Grounds.


def felt(seed, colour):
    coarse, fine = Noise(seed), Noise(seed + 1)

    def ground(x, y):
        cloud = coarse.at(x * 0.045 + 7, y * 0.045 + 7)
        thread = fine.at(x * 3.1, y * 1.3) + fine.at(x * 1.2 + 31, y * 3.3 + 17)
        value = 1.02 + 0.10 * cloud + 0.14 * (thread - 1.0)
        return (colour[0] * value, colour[1] * value, colour[2] * value)

    return ground


def wood(seed):
    slow, fibre, board = Noise(seed), Noise(seed + 1), Noise(seed + 2)

    def ground(x, y):
        plank = int((y + 14.0) // 62.0)
        inside = (y + 14.0) - plank * 62.0
        wave = slow.at(x * 0.012 + plank * 9.3, y * 0.05) * 13.0 + y * 0.62
        rings = abs((wave - wave // 1 - 0.5) * 2.0)
        thread = fibre.at(x * 0.07 + plank * 5.1, y * 4.3) * 0.7 + fibre.at(x * 0.35, y * 9.1) * 0.3
        tone = clamp(0.30 + 0.30 * rings * rings + 0.42 * (thread - 0.5) + 0.22 * (board.at(plank * 3.7 + 0.5, 0.5) - 0.5))
        r, g, b = mix((0.17, 0.078, 0.034), (0.44, 0.25, 0.125), tone)
        seam = 1.0 - 0.75 * smooth(0.55, 0.1, min(inside, 62.0 - inside))
        return (r * seam * 1.05, g * seam * 1.05, b * seam * 1.05)

    return ground


# What lies on them.


def lens(canvas, lie, x, y):
    bounds = (x - 7, y - 7, x + 7, y + 7)
    canvas.place(lie, bounds, disc(x, y, 5.6), 0.8, Matter((0.30, 0.31, 0.32), 0.9, 5, 0.6), bevel=0.9)
    canvas.place(lie, bounds, disc(x, y, 4.9), 0.0, Matter((0.006, 0.008, 0.012), 0.5, 6, 0.1), bevel=0.8)
    canvas.place(lie, bounds, ring(x, y, 3.3, 0.18), 0.0, Matter((0.05, 0.055, 0.06)), bevel=0.1)
    canvas.place(lie, bounds, disc(x, y, 2.0), 0.0, Matter((0.012, 0.016, 0.05), 0.9, 5, 0.3), bevel=1.6, tilt=0.6)
    canvas.ink(lie, [[(x - 2.2, y - 2.4), (x - 1.5, y - 2.9)]], 0.55, (0.75, 0.80, 0.90), 0.9)


def key(canvas, lie, metal, length, cuts):
    """A cylinder key: the head's hole at the ring, the blade outward, `cuts` in millimetres."""
    head = without(lambda x, y: max(disc(20.0, 0.0, 11.0)(x, y), abs(y) - 9.8), disc(13.2, 0.0, 3.0))
    start, end = 29.0, 29.0 + length * 0.62
    step = (end - start - 7.0) / len(cuts)
    teeth = [(start - 2.0, 3.9), (start + 3.0, 3.9)]
    for index, cut in enumerate(cuts):
        left = start + 3.5 + index * step
        teeth += [(left + step * 0.3, 3.9 - cut), (left + step * 0.75, 3.9 - cut)]
    outline = [(start - 2.0, -3.9), (end - 3.0, -3.9), (end, -0.6), (end, 0.6), (end - 2.6, 3.4)]
    blade = polygon(outline + list(reversed(teeth)))

    def shape(x, y):
        return blade(x, y) if x > 33.0 else head(x, y) if x < 26.0 else min(blade(x, y), head(x, y))

    scratches = Noise(int(length))

    def worn(x, y, d):
        dull = 0.82 + 0.26 * scratches.at(x * 0.6 + 60, y * 5.0 + 60)
        r, g, b = metal.colour
        groove = 0.55 if x > 31.0 and abs(y + 1.3) < 0.55 and x < end - 2.0 else 1.0
        slope = 0.35 if x > 31.0 and -0.9 < y + 0.4 < -0.3 else 0.0
        return Matter((r * dull * groove, g * dull * groove, b * dull * groove), metal.shine, metal.sharp, metal.mirror), 0.0, slope

    canvas.place(lie, (8, -11, end, 11), shape, 2.2, worn, bevel=0.8, tilt=0.8)
    canvas.ink(lie, [circle(20.5, 0.0, 6.4)], 0.35, tuple(c * 0.35 for c in metal.colour), 0.7)
    canvas.write(lie, "S-02", 17.4, -1.1, 2.3, tuple(c * 0.25 for c in metal.colour), strength=0.85)


def pen(canvas, lie):
    def tube(radius):
        def matter(colour, shine=0.9, mirror=0.25):
            return lambda x, y, d: (Matter(colour, shine, 5, mirror), 0.0, clamp(y / radius, -0.97, 0.97))

        return matter

    barrel = tube(4.6)
    blue, steel = (0.02, 0.045, 0.16), (0.46, 0.47, 0.48)
    tip = polygon([(-66.0, -0.5), (-54.0, -3.4), (-54.0, 3.4), (-66.0, 0.5)])
    canvas.place(lie, (-66, -4, -53, 4), tip, 4.0, tube(3.4)(steel, 0.8, 0.6), bevel=0.01)
    canvas.place(lie, (-56, -5, 60, 5), lambda x, y: box(57.0, 4.5, 1.6)(x - 2.0, y), 6.5, barrel(blue), bevel=0.01)
    canvas.place(lie, (-2, -5, 4, 5), lambda x, y: box(1.6, 4.7, 0.5)(x, y), 0.2, barrel(steel, 0.8, 0.6), bevel=0.01)
    canvas.place(lie, (54, -5, 64, 5), lambda x, y: box(3.0, 3.4, 1.2)(x - 60.5, y), 4.0, tube(3.4)(steel, 0.8, 0.6), bevel=0.01)
    canvas.place(lie, (20, -2, 58, 2), lambda x, y: box(18.0, 1.2, 1.1)(x - 39.0, y), 1.6, Matter(steel, 0.9, 4, 0.6), bevel=0.9)


def stick(canvas, lie):
    canvas.place(lie, (-26, -6, -10, 6), lambda x, y: box(7.0, 5.6, 0.5)(x + 18.0, y), 4.0, Matter((0.48, 0.48, 0.49), 0.7, 4, 0.55), bevel=0.5)
    for y in (-2.4, 2.4):
        canvas.place(lie, (-24, y - 2, -18, y + 2), lambda x, v, y=y: box(1.3, 1.1, 0.2)(x + 20.5, v - y), 0.0, Matter((0.02, 0.02, 0.02)), bevel=0.1)
    canvas.place(lie, (-13, -9, 24, 9), lambda x, y: box(17.5, 8.0, 2.4)(x - 5.5, y), 7.0, Matter((0.03, 0.03, 0.034), 0.22, 4, 0.05), bevel=1.5)
    canvas.write(lie, "SAMPLE", -7.0, -3.2, 3.9, (0.55, 0.55, 0.55))
    canvas.write(lie, "0 GB", -7.0, 2.7, 2.2, (0.40, 0.40, 0.40))


# What every photograph of this kind has beside the thing: scale, marker, label.


def scale(canvas, lie, long, tall):
    """An L of white card: millimetres along both outer edges, centimetres as black and white bars, three circles."""
    width = 17.0

    def shape(x, y):
        across = box(long / 2, width / 2, 0.8)(x - long / 2, y - width / 2)
        upright = box(width / 2, tall / 2, 0.8)(x - width / 2, y - width + tall / 2)
        return min(across, upright)

    canvas.place(lie, (0, width - tall, long, width), shape, 0.7, CARD, bevel=0.3)
    thin, bars = [], []
    across, up = int(long) - 33, int(tall) - 33  # millimetres marked; the rest is for the circles
    for mm in range(max(across, up) + 1):
        tick = 5.0 if mm % 10 == 0 else 3.6 if mm % 5 == 0 else 2.3
        if mm <= across:
            thin.append([(width + mm, 0.6), (width + mm, 0.6 + tick)])
        if mm <= up:
            thin.append([(width - 0.6, -mm), (width - 0.6 - tick, -mm)])
    canvas.ink(lie, thin, 0.22, BLACK)
    for cm in range(0, max(across, up) // 10 + 1):
        for lane in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6):
            if cm % 2 == 0 and cm * 10 < across:
                bars.append([(width + cm * 10, 14.4 + lane), (width + cm * 10 + 10, 14.4 + lane)])
            if cm % 2 == 0 and cm * 10 < up:
                bars.append([(0.9 + lane, -cm * 10), (0.9 + lane, -cm * 10 - 10)])
        digits, half = str(cm), text_width(str(cm), 2.8) / 2
        if 0 < cm * 10 < across:
            canvas.write(lie, digits, width + cm * 10 - half, 6.6, 2.8, BLACK)
        if 0 < cm * 10 < up:
            canvas.write(lie, digits, 8.6 - half, -cm * 10 - 1.4, 2.8, BLACK)
    canvas.ink(lie, bars, 0.5, BLACK)
    text = "SAMPLE — NOT EVIDENCE"
    canvas.write(lie, text, width + 3.0, 10.9, 2.3, RED)
    canvas.write(lie, "SAMPLE DATA   MM / CM", width + 66.0, 10.9, 2.3, BLACK)
    for x, y in ((8.5, 8.5), (8.5, width - tall + 8.5), (long - 8.5, 8.5)):
        canvas.ink(lie, [circle(x, y, 4.4)], 0.55, BLACK)
        canvas.ink(lie, [[(x - 6.0, y), (x + 6.0, y)], [(x, y - 6.0), (x, y + 6.0)]], 0.28, BLACK)


def marker(canvas, lie, number):
    yellow = Matter((0.78, 0.52, 0.015), 0.12, 3)
    canvas.place(lie, (-14, -19, 14, 19), box(13.5, 18.5, 1.5), 3.0, yellow, bevel=0.6)
    size = 20.0
    strokes = letters(number, -text_width(number, size) / 2 , -12.5, size)
    canvas.ink(lie, strokes, 3.6, BLACK)
    canvas.write(lie, "SAMPLE", -text_width("SAMPLE", 3.4) / 2, 12.2, 3.4, BLACK)


def label(canvas, lie, lines):
    canvas.place(lie, (-33, -23, 33, 23), box(32.0, 22.0, 0.8), 0.5, Matter((0.82, 0.81, 0.77), 0.03, 3), bevel=0.25)
    canvas.place(lie, (-33, -23, 33, -8), lambda x, y: box(32.0, 6.4, 0.6)(x, y + 15.6), 0.0, Matter(RED, 0.05, 3), bevel=0.05)
    canvas.write(lie, "SAMPLE DATA", -text_width("SAMPLE DATA", 5.6) / 2, -18.4, 5.6, WHITE, weight=0.15)
    text = "SAMPLE — NOT EVIDENCE"
    canvas.write(lie, text, -text_width(text, 3.3) / 2, -5.6, 3.3, BLACK, weight=0.16)
    for row, line in enumerate(lines):
        top = 1.4 + row * 6.4
        canvas.write(lie, line, -28.5, top, 2.9, (0.03, 0.05, 0.16), weight=0.12)
        canvas.ink(lie, [[(-29.0, top + 4.5), (29.0, top + 4.5)]], 0.16, (0.35, 0.35, 0.34))


def circle(x, y, r):
    around = [(1.0, 0.0), (0.9239, 0.3827), (0.7071, 0.7071), (0.3827, 0.9239)]
    quarter = around + [(-b, a) for a, b in around]
    turn = quarter + [(-a, -b) for a, b in quarter]
    return [(x + a * r, y + b * r) for a, b in turn + turn[:1]]


def finish(canvas, number, time, subject):
    date = "2026:03:12"
    note = f"SAMPLE DATA - NOT EVIDENCE: rendered picture of {subject}; specimen made by samples/make.py"
    hours, minutes, seconds = (int(part) for part in time.split(":"))
    ifd0 = [
        (0x010E, "ASCII", note), (0x010F, "ASCII", "Custos"), (0x0110, "ASCII", "Custos Sample Camera"), (0x0112, "SHORT", 1),
        (0x011A, "RATIONAL", [(72, 1)]), (0x011B, "RATIONAL", [(72, 1)]), (0x0128, "SHORT", 2),
        (0x0131, "ASCII", "samples/make.py"), (0x0132, "ASCII", f"{date} {time}"),
    ]  # fmt: skip
    exif = [
        (0x829A, "RATIONAL", [(1, 125)]), (0x829D, "RATIONAL", [(56, 10)]), (0x8827, "SHORT", 200), (0x9000, "UNDEFINED", b"0232"),
        (0x9003, "ASCII", f"{date} {time}"), (0x9004, "ASCII", f"{date} {time}"), (0x9010, "ASCII", "+00:00"), (0x9011, "ASCII", "+00:00"),
        (0x9101, "UNDEFINED", b"\1\2\3\0"), (0x920A, "RATIONAL", [(50, 1)]), (0x9286, "UNDEFINED", b"ASCII\0\0\0SAMPLE DATA - NOT EVIDENCE"),
        (0xA000, "UNDEFINED", b"0100"), (0xA001, "SHORT", 1), (0xA002, "LONG", WIDTH), (0xA003, "LONG", HEIGHT), (0xA431, "ASCII", "SAMPLE-0001"),
    ]  # fmt: skip
    origin = [(0, 1), (0, 1), (0, 1)]  # 0°N 0°E: open ocean, nobody's address
    gps = [
        (0x00, "BYTE", [2, 3, 0, 0]), (0x01, "ASCII", "N"), (0x02, "RATIONAL", origin), (0x03, "ASCII", "E"), (0x04, "RATIONAL", origin),
        (0x07, "RATIONAL", [(hours, 1), (minutes, 1), (seconds, 1)]), (0x12, "ASCII", "WGS-84"), (0x1D, "ASCII", date),
    ]  # fmt: skip
    return jpeg.encode(WIDTH, HEIGHT, canvas.develop(number), jpeg.exif_block(ifd0, exif, gps), note, 84)
