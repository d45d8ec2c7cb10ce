"""A small baseline JPEG encoder (ITU-T T.81) with an Exif block, so that the same pixels give the same bytes everywhere.

Image libraries change their output between versions; the samples must not. Only +, -, *, / on doubles are used.
"""

import struct

ZIGZAG = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
]  # fmt: skip
LUMA = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
]  # fmt: skip
CHROMA = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
] + [99] * 32  # fmt: skip

# Annex K.3: code lengths and symbols of the four customary Huffman tables.
DC_LUMA = (bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]), bytes(range(12)))
DC_CHROMA = (bytes([0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]), bytes(range(12)))
AC_LUMA = (
    bytes([0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D]),
    bytes.fromhex(
        "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a"
        "434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9"
        "aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa"
    ),
)
AC_CHROMA = (
    bytes([0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77]),
    bytes.fromhex(
        "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a"
        "434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8"
        "a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa"
    ),
)
# The fast DCT of Arai, Agui and Nakajima leaves these factors to the quantiser.
AAN = [1.0, 1.387039845, 1.306562965, 1.175875602, 1.0, 0.785694958, 0.541196100, 0.275899379]


def encode(width, height, rgb, exif, comment, quality):
    """Encodes `rgb` (bytes, three a pixel, rows from the top; sides multiples of 16) with 4:2:0 colour."""
    tables = [scaled(LUMA, quality), scaled(CHROMA, quality)]
    out = bytearray(b"\xff\xd8")
    segment(out, 0xE1, b"Exif\0\0" + exif)
    segment(out, 0xFE, comment.encode("utf-8"))
    for number, table in enumerate(tables):
        segment(out, 0xDB, bytes([number]) + bytes(table[z] for z in ZIGZAG))
    segment(out, 0xC0, struct.pack(">BHHB", 8, height, width, 3) + bytes([1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]))
    for ident, (lengths, symbols) in [(0x00, DC_LUMA), (0x10, AC_LUMA), (0x01, DC_CHROMA), (0x11, AC_CHROMA)]:
        segment(out, 0xC4, bytes([ident]) + lengths + symbols)
    segment(out, 0xDA, bytes([3, 1, 0x00, 2, 0x11, 3, 0x11, 0, 63, 0]))
    out += scan(width, height, rgb, tables)
    return bytes(out + b"\xff\xd9")


def exif_block(ifd0, exif, gps):
    """A big-endian TIFF structure of three directories; each is a list of (tag, type, value)."""
    # Sizes are fixed by the entries, so lay out once with empty pointers to learn where the parts begin.
    pointers = [(0x8769, "LONG", 0), (0x8825, "LONG", 0)]
    exif_at = 8 + len(directory(ifd0 + pointers, 8))
    gps_at = exif_at + len(directory(exif, exif_at))
    pointers = [(0x8769, "LONG", exif_at), (0x8825, "LONG", gps_at)]
    head = struct.pack(">2sHI", b"MM", 42, 8)
    return head + directory(ifd0 + pointers, 8) + directory(exif, exif_at) + directory(gps, gps_at)


def directory(entries, offset):
    entries = sorted(entries)
    table, data = struct.pack(">H", len(entries)), b""
    data_at = offset + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        code, count, raw = field(kind, value)
        if len(raw) <= 4:
            slot = raw.ljust(4, b"\0")
        else:
            slot = struct.pack(">I", data_at + len(data))
            data += raw + b"\0" * (len(raw) % 2)
        table += struct.pack(">HHI", tag, code, count) + slot
    return table + b"\0\0\0\0" + data


def field(kind, value):
    if kind == "ASCII":
        raw = value.encode("ascii") + b"\0"
        return 2, len(raw), raw
    if kind == "RATIONAL":
        return 5, len(value), b"".join(struct.pack(">II", *pair) for pair in value)
    if kind == "UNDEFINED":
        return 7, len(value), value
    if kind == "BYTE":
        return 1, len(value), bytes(value)
    code, form = {"SHORT": (3, ">H"), "LONG": (4, ">I")}[kind]
    return code, 1, struct.pack(form, value)


def segment(out, marker, body):
    out += struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def scaled(table, quality):
    factor = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [min(255, max(1, (q * factor + 50) // 100)) for q in table]


def codes(lengths_and_symbols):
    lengths, symbols = lengths_and_symbols
    book, code, at = {}, 0, 0
    for bits, count in enumerate(lengths, start=1):
        for _ in range(count):
            book[symbols[at]] = (code, bits)
            code, at = code + 1, at + 1
        code <<= 1
    return book


def planes(width, height, rgb):
    y, cb, cr = [], [], []
    for i in range(0, width * height * 3, 3):
        r, g, b = rgb[i], rgb[i + 1], rgb[i + 2]
        y.append(0.299 * r + 0.587 * g + 0.114 * b - 128.0)
        cb.append(-0.168736 * r - 0.331264 * g + 0.5 * b)
        cr.append(0.5 * r - 0.418688 * g - 0.081312 * b)
    return y, halved(cb, width, height), halved(cr, width, height)


def halved(plane, width, height):
    out = []
    for top in range(0, width * height, 2 * width):
        for i in range(top, top + width, 2):
            out.append((plane[i] + plane[i + 1] + plane[i + width] + plane[i + width + 1]) * 0.25)
    return out


def scan(width, height, rgb, tables):
    y, cb, cr = planes(width, height, rgb)
    divisors = [[1.0 / (t[i] * AAN[i // 8] * AAN[i % 8] * 8.0) for i in range(64)] for t in tables]
    books = [(codes(DC_LUMA), codes(AC_LUMA)), (codes(DC_CHROMA), codes(AC_CHROMA))]
    bits, previous = Bits(), [0, 0, 0]
    for my in range(0, height, 16):
        for mx in range(0, width, 16):
            for dy, dx in ((0, 0), (0, 8), (8, 0), (8, 8)):
                block = quantised(y, width, mx + dx, my + dy, divisors[0])
                previous[0] = put_block(bits, block, previous[0], books[0])
            for number, plane in ((1, cb), (2, cr)):
                block = quantised(plane, width // 2, mx // 2, my // 2, divisors[1])
                previous[number] = put_block(bits, block, previous[number], books[1])
    return bits.finish()


def quantised(plane, stride, x, y, divisors):
    rows = [dct(plane[at : at + 8]) for at in range(y * stride + x, (y + 8) * stride + x, stride)]
    columns = [dct(column) for column in zip(*rows)]
    out = []
    for z in ZIGZAG:
        value = columns[z % 8][z // 8] * divisors[z]
        out.append(int(value + 0.5) if value >= 0 else -int(0.5 - value))
    return out


def dct(v):
    a0, a7 = v[0] + v[7], v[0] - v[7]
    a1, a6 = v[1] + v[6], v[1] - v[6]
    a2, a5 = v[2] + v[5], v[2] - v[5]
    a3, a4 = v[3] + v[4], v[3] - v[4]
    b0, b3, b1, b2 = a0 + a3, a0 - a3, a1 + a2, a1 - a2
    z1 = (b2 + b3) * 0.707106781
    c0, c1, c2 = a4 + a5, a5 + a6, a6 + a7
    z5 = (c0 - c2) * 0.382683433
    z2, z4, z3 = 0.541196100 * c0 + z5, 1.306562965 * c2 + z5, c1 * 0.707106781
    z11, z13 = a7 + z3, a7 - z3
    return (b0 + b1, z11 + z4, b3 + z1, z13 - z2, b0 - b1, z13 + z2, b3 - z1, z11 - z4)


def put_block(bits, block, previous, books):
    dc, ac = books
    put_value(bits, dc, 0, block[0] - previous)
    run = 0
    last = max((i for i in range(1, 64) if block[i]), default=0)
    for value in block[1 : last + 1]:
        if value == 0:
            run += 1
            continue
        while run > 15:
            bits.put(*ac[0xF0])
            run -= 16
        put_value(bits, ac, run << 4, value)
        run = 0
    if last < 63:
        bits.put(*ac[0x00])
    return block[0]


def put_value(bits, book, prefix, value):
    size = abs(value).bit_length()
    bits.put(*book[prefix | size])
    if size:
        bits.put(value if value > 0 else value + (1 << size) - 1, size)


class Bits:
    """Entropy-coded bits, highest first, a zero byte stuffed after every 0xFF."""

    def __init__(self):
        self.out, self.hold, self.count = bytearray(), 0, 0

    def put(self, value, size):
        self.hold = (self.hold << size) | value
        self.count += size
        while self.count >= 8:
            self.count -= 8
            byte = self.hold >> self.count
            self.hold &= (1 << self.count) - 1
            self.out.append(byte)
            if byte == 0xFF:
                self.out.append(0)

    def finish(self):
        if self.count:
            self.put((1 << (8 - self.count)) - 1, 8 - self.count)
        return self.out
