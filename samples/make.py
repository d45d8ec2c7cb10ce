#!/usr/bin/env python3
"""Makes the sample case: `samples/make.py` writes samples/case, `--check` compares it with a fresh make.

Python's standard library only, and the same bytes on every machine. Everything is invented: rendered objects, a form, a
tone, messages between "Person A" and "Person B". Each file says in its own words that it is SAMPLE DATA.
"""

import argparse
import json
import pathlib
import struct
import sys
from concurrent.futures import ProcessPoolExecutor

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "tools"))
import photos  # noqa: E402

CASE = pathlib.Path(__file__).resolve().parent / "case"
NOTICE = "SAMPLE DATA — NOT EVIDENCE"
MESSAGES = [
    ("2026-03-12T08:02:11", "A", "Good morning. SAMPLE DATA: this conversation was made up for the demo of Custos."),
    ("2026-03-12T08:03:40", "B", "Good morning! Did you find the ladder?"),
    ("2026-03-12T08:04:05", "A", "Yes, it is behind the shed. The key is on the ring with the red tag."),
    ("2026-03-12T08:04:52", "B", "Thank you. I will bring the notebook back at the same time 📒"),
    ("2026-03-12T08:06:30", "A", "¿Mañana a las nueve? – or later, as you like."),
    ("2026-03-12T08:07:02", "B", "Nine is fine."),
    ("2026-03-12T08:55:19", "B", "On my way, ten minutes."),
    ("2026-03-12T09:06:44", "A", "Door is open. Specimen photographs IMG_0001 to IMG_0003 follow later."),
    ("2026-03-12T10:15:00", "A", "Everything returned, thank you!"),
    ("2026-03-12T10:15:31", "B", "👍"),
]
CALLS = [
    ("2026-03-12T07:58:02Z", "outgoing", "Person A", "Person B", 0, "missed"),
    ("2026-03-12T07:59:30Z", "incoming", "Person B", "Person A", 74, "answered"),
    ("2026-03-12T08:51:12Z", "incoming", "Person B", "Person A", 21, "answered"),
    ("2026-03-12T09:05:50Z", "outgoing", "Person A", "Person B", 9, "answered"),
    ("2026-03-12T10:20:03Z", "incoming", "Helpline (sample)", "Person A", 183, "answered"),
]
NUMBERS = {"Person A": "+12025550101", "Person B": "+12025550102", "Helpline (sample)": "+12025550199"}  # reserved for fiction


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 and name the files that differ")
    files = made()
    if parser.parse_args().check:
        wrong = differences(files)
        print("\n".join(wrong) if wrong else f"{len(files)} files, as made")
        return 1 if wrong else 0
    for name, content in files.items():
        path = CASE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(f"{len(content):>8}  {name}")
    print(f"{sum(map(len, files.values())):>8}  bytes in {len(files)} files")
    return 0


def differences(files):
    found = {str(p.relative_to(CASE).as_posix()) for p in CASE.rglob("*") if p.is_file()}
    wrong = [f"not made by this script: {name}" for name in sorted(found - set(files))]
    for name, content in sorted(files.items()):
        if name not in found:
            wrong.append(f"missing: {name}")
        elif (CASE / name).read_bytes() != content:
            wrong.append(f"differs: {name}")
    return wrong


def made():
    """Path inside the case → bytes."""
    files = {}
    with ProcessPoolExecutor() as pool:
        pictures = [(name, pool.submit(draw)) for name, draw in photos.photographs()]
        files["documents/Sample inventory form.pdf"] = pdf()
        files["audio/voice-note-0001.wav"] = wav()
        files["chat/export.json"] = chat_json()
        files["chat/export.txt"] = chat_text()
        files["chat/Notes – Ñandú.txt"] = notes()
        files["device/call-log.csv"] = call_log()
        files["device/empty.log"] = b""
        for name, picture in pictures:
            files[f"photos/{name}"] = picture.result()
    return files


# Text.


def chat_json():
    """The shape of a desktop messenger's export: one chat, numbered messages, local and Unix time."""
    messages = []
    for number, (when, who, text) in enumerate(MESSAGES, start=1):
        messages.append(
            {
                "id": number,
                "type": "message",
                "date": when,
                "date_unixtime": str(unix_time(when)),
                "from": f"Person {who}",
                "from_id": f"user000000{'AB'.index(who) + 1}",
                "text": text,
            }
        )
    export = {
        "notice": NOTICE,
        "about": "Made by samples/make.py. The persons do not exist.",
        "name": "Person B",
        "type": "personal_chat",
        "id": 1000000002,
        "messages": messages,
    }
    return (json.dumps(export, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def chat_text():
    lines = [f"[2026/03/12, 08:00:00] {NOTICE}. Messages are made up; the persons do not exist."]
    for when, who, text in MESSAGES:
        lines.append(f"[{when[:10].replace('-', '/')}, {when[11:]}] Person {who}: {text}")
    return ("\r\n".join(lines) + "\r\n").encode("utf-8")


def notes():
    return (
        f"{NOTICE}\n\nNotes – Ñandú\n\n"
        "This file tests names and text beyond ASCII: its name has an en dash, Ñ and ú.\n"
        "Ñandú (Rhea americana) – a large bird that does not fly.\n"
        "ខ្មែរ · ไทย · हिन्दी · Kiswahili · Filipino · Français\n"
    ).encode("utf-8")


def call_log():
    rows = ["notice,time_utc,direction,from_name,from_number,to_name,to_number,seconds,result"]
    for when, direction, caller, called, seconds, result in CALLS:
        rows.append(f"SAMPLE DATA,{when},{direction},{caller},{NUMBERS[caller]},{called},{NUMBERS[called]},{seconds},{result}")
    return ("\r\n".join(rows) + "\r\n").encode("utf-8")


def unix_time(when):
    """All samples are of one month, in UTC."""
    hours, minutes, seconds = (int(part) for part in when[11:].split(":"))
    first_of_march_2026 = 1772323200
    return first_of_march_2026 + ((int(when[8:10]) - 1) * 24 + hours) * 3600 + minutes * 60 + seconds


# Sound.


def wav():
    """SAMPLE in Morse code, a pause, a fading chime: 8 kHz, 16 bits, one channel."""
    rate, unit = 8000, 560
    sound = [0.0] * (rate // 2)
    for letter in ("...", ".-", "--", ".--.", ".-..", "."):
        for mark in letter:
            sound += tone(unit * (3 if mark == "-" else 1), 0.35) + [0.0] * unit
        sound += [0.0] * (2 * unit)
    sound += [0.0] * (rate // 2)
    sound += tone(rate, 0.4, fade=True) + [0.0] * (rate // 4)
    data = b"".join(struct.pack("<h", int(value * 32767.0)) for value in sound)
    info = b"INFO" + chunk(b"INAM", b"Voice note 0001 (specimen)\0") + chunk(b"ICMT", b"SAMPLE DATA - NOT EVIDENCE\0")
    form = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    body = b"WAVE" + chunk(b"fmt ", form) + chunk(b"LIST", info) + chunk(b"data", data)
    return chunk(b"RIFF", body)


def chunk(name, body):
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def tone(samples, loudness, fade=False):
    """A 600 Hz sine by turning a vector, which needs no library's sine; soft edges, or one long fade."""
    turn_cos, turn_sin = 0.8910065241883679, 0.4539904997395468
    x, y, out = 1.0, 0.0, []
    for n in range(samples):
        edge = min(1.0, n / 48.0, (samples - n) / 48.0)
        left = (samples - n) / samples
        out.append(y * loudness * edge * (left * left if fade else 1.0))
        x, y = x * turn_cos - y * turn_sin, x * turn_sin + y * turn_cos
    return out


# The form.


def pdf():
    """One A4 page in Helvetica, uncompressed so that a reader of bytes sees the words."""
    content = page().encode("cp1252")
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /R 5 0 R /B 6 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        font.format("Helvetica").encode("ascii"),
        font.format("Helvetica-Bold").encode("ascii"),
        b"<< /Title (Sample inventory form) /Subject (SAMPLE DATA - NOT EVIDENCE) /Creator (samples/make.py) /CreationDate (D:20260312100000Z) >>",
    ]
    out, places = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, item in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info 7 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def page():
    columns = [50, 90, 260, 345, 430, 545]
    rows = [
        ("1", "Mobile phone, model S-0001", "2026-03-12 09:14", "IMG_0001.JPG", "closed, undamaged"),
        ("2", "Two keys and a red fob", "2026-03-12 09:21", "IMG_0002.JPG", "on one ring"),
        ("3", "Notebook, pen, memory stick", "2026-03-12 09:33", "IMG_0003.JPG", "pages blank"),
        ("4", "Voice note", "2026-03-12 09:40", "0001.wav", "6 seconds"),
        ("5", "Chat export, two formats", "2026-03-12 09:45", "export.json, .txt", "10 messages"),
        ("6", "Call log", "2026-03-12 09:46", "call-log.csv", "5 calls"),
    ]
    # Across the page, behind everything: the word that nobody can overlook.
    parts = ["q 0.93 g BT /B 132 Tf 0.7071 0.7071 -0.7071 0.7071 105 185 Tm (SAMPLE) Tj ET Q"]
    parts += ["0.70 0.12 0.12 rg 50 762 495 40 re f"]
    parts += [words("B", 18, 62, 776, "Sample inventory form", 1), words("B", 11, 360, 778, "SAMPLE DATA — NOT EVIDENCE", 1)]
    parts += [words("R", 10, 50, 742, "A specimen for the demonstration of Custos. No person, place or case behind it exists.")]
    facts = [("Case", "SAMPLE-2026-001"), ("Place", "0°00'00\" N 0°00'00\" E (open ocean)"), ("Handed over by", "Person A"), ("Received by", "Person B")]
    for row, (name, value) in enumerate(facts):
        parts += [words("B", 10, 50, 712 - row * 17, name), words("R", 10, 150, 712 - row * 17, value)]
    top, height = 632, 24
    parts += [f"0.90 g {columns[0]} {top - height} {columns[-1] - columns[0]} {height} re f 0 g"]
    for x, name in zip(columns, ("No.", "Description", "Taken", "File", "Remarks")):
        parts.append(words("B", 9, x + 5, top - 16, name))
    for number, row in enumerate(rows, start=1):
        parts += [words("R", 9, x + 5, top - number * height - 16, text) for x, text in zip(columns, row)]
    bottom = top - height * (len(rows) + 1)
    grid = [f"{columns[0]} {y} m {columns[-1]} {y} l S" for y in range(bottom, top + 1, height)]
    grid += [f"{x} {bottom} m {x} {top} l S" for x in columns]
    parts += ["0.6 w 0.35 G"] + grid
    for x, name in ((50, "Person A (gives)"), (310, "Person B (receives)")):
        parts += [f"{x} 372 m {x + 220} 372 l S", words("R", 9, x, 358, f"Signature, {name}"), words("R", 20, x + 12, 380, "specimen", 0.45)]
    parts += [words("R", 8, 50, 60, "Made by samples/make.py. SAMPLE DATA: do not file, do not rely on it."), words("R", 8, 500, 60, "Page 1 / 1")]
    return "\n".join(parts)


def words(font, size, x, y, text, grey=0):
    escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
    return f"{grey} g BT /{font} {size} Tf {x} {y} Td ({escaped}) Tj ET 0 g"


if __name__ == "__main__":
    sys.exit(main())
