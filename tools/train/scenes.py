"""Rendered cockpit scenes: cabin, parking sign, instrument cluster, screen.

Each `draw_*` takes a random generator and gives a picture (PIL, RGB, SIZE x SIZE) and the facts that it shows. Nothing
is read from disk but Pillow's own font, so a seed is all that is needed to make a picture again.
"""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = 128
# Drawn at twice the size and shrunk, for smooth edges.
OVER = 2
BIG = SIZE * OVER

SEATS = ["driver", "front passenger", "rear left", "rear right"]
OCCUPANTS = ["adult", "child", "baby", "empty"]
LAMPS = ["engine", "oil pressure", "battery", "brake", "airbag", "tyre pressure", "coolant", "door"]
GEARS = ["P", "R", "N", "D"]
PLACES = ["Home", "Work", "Gym", "School", "Airport", "Station", "Harbour", "Hotel", "Park", "Museum", "Beach", "Zoo"]
SIGNS = ["parking", "no parking"]
FUEL_STEPS = 8
MOST_VOLUME = 10
MOST_FAN = 5

_FONTS = {}


def font(size):
    """Pillow's built-in scalable font."""
    size = max(6, round(size))
    if size not in _FONTS:
        _FONTS[size] = ImageFont.load_default(size)
    return _FONTS[size]


def between(random, low, high):
    return float(random.uniform(low, high))


def pick(random, options):
    return options[int(random.integers(len(options)))]


def colour(random, low=0, high=255):
    return tuple(int(v) for v in random.integers(low, high + 1, 3))


def shade(rgb, factor):
    return tuple(int(min(255, max(0, v * factor))) for v in rgb)


def canvas(random, low, high):
    """A background that changes smoothly from top to bottom."""
    top, bottom = np.array(colour(random, low, high)), np.array(colour(random, low, high))
    ramp = np.linspace(0, 1, BIG)[:, None, None]
    plane = np.broadcast_to(top * (1 - ramp) + bottom * ramp, (BIG, BIG, 3))
    picture = Image.fromarray(plane.astype(np.uint8))
    return picture, ImageDraw.Draw(picture)


def box(draw, cx, cy, w, h, fill, radius=0.0, outline=None, width=1):
    draw.rounded_rectangle((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), radius, fill, outline, width)


def disc(draw, cx, cy, rx, ry, fill, outline=None, width=1):
    draw.ellipse((cx - rx, cy - ry, cx + rx, cy + ry), fill, outline, width)


def text(draw, cx, cy, words, size, fill):
    draw.text((cx, cy), words, fill, font(size), anchor="mm")


def finish(random, picture):
    """Camera: exposure, a soft lens now and then, sensor noise."""
    picture = picture.resize((SIZE, SIZE), Image.BOX)
    if random.random() < 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(between(random, 0.2, 0.6)))
    values = np.asarray(picture).astype(np.float32)
    values = (values - 128) * between(random, 0.75, 1.15) + 128 + between(random, -20, 20)
    if random.random() < 0.5:
        values += random.normal(0, between(random, 0.5, 5), values.shape[:2] + (1,)).astype(np.float32)
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))


# Cabin ---------------------------------------------------------------------------------------------------------------


def draw_person(random, draw, cx, base, unit, occupant, belt, eyes):
    """A person whose torso ends at `base`; `unit` is the width of an adult's shoulders in pixels."""
    skin = pick(random, [(240, 205, 175), (222, 178, 140), (190, 138, 100), (130, 88, 60), (96, 62, 44)])
    hair = pick(random, [(30, 22, 18), (90, 55, 25), (190, 150, 80), (120, 120, 125), (150, 60, 30)])
    cloth = colour(random, 40, 215)
    scale = {"adult": 1.0, "child": 0.68, "baby": 0.5}[occupant]
    w, torso = unit * scale, unit * scale * 0.95
    head = unit * 0.3 * (1.0 if occupant == "adult" else 0.85 if occupant == "child" else 0.72)
    if occupant == "baby":
        # The shell of a child seat, around a small person.
        shell = pick(random, [(225, 60, 60), (60, 90, 215), (245, 175, 30), (60, 170, 90)])
        box(draw, cx, base - unit * 0.55, unit * 0.92, unit * 1.15, shade(shell, 0.6), unit * 0.3)
        box(draw, cx, base - unit * 0.52, unit * 0.7, unit * 0.95, shell, unit * 0.25)
    top = base - torso
    box(draw, cx, base - torso / 2, w, torso, cloth, w * 0.28)
    hy = top - head * 0.62
    disc(draw, cx, hy - head * 0.16, head * 1.06, head * 1.06, hair)
    disc(draw, cx, hy + head * 0.08, head * 0.88, head * 0.96, skin)
    # Of babies too, two pixels of the shrunk picture.
    eye = max(head * 0.27, 4.5)
    for side in (-1, 1):
        ex, ey = cx + side * max(head * 0.4, eye), hy
        if eyes == "open":
            disc(draw, ex, ey, eye, eye * 0.93, (250, 250, 250))
            disc(draw, ex, ey, eye * 0.52, eye * 0.6, (20, 20, 30))
        else:
            draw.line((ex - eye, ey, ex + eye, ey), shade(skin, 0.4), max(3, round(eye * 0.45)))
    draw.line((cx - head * 0.3, hy + head * 0.55, cx + head * 0.3, hy + head * 0.55), (150, 50, 50), 2)
    if belt:
        light = sum(cloth) < 380
        strap = (235, 235, 230) if light else (25, 25, 30)
        draw.line((cx - w * 0.42, top + torso * 0.08, cx + w * 0.38, base - 2), strap, max(3, round(unit * 0.11)))


def draw_cabin(random):
    picture, draw = canvas(random, 60, 200)
    seats = {}
    for seat in SEATS:
        chances = [0.85, 0.0, 0.0, 0.15] if seat == "driver" else [0.34, 0.22, 0.16, 0.28]
        occupant = OCCUPANTS[int(random.choice(4, p=chances))]
        seats[seat] = {
            "occupant": occupant,
            "belt": bool(random.random() < 0.6),
            "eyes": "open" if random.random() < 0.6 else "closed",
        }
    # The rear window and a mirror.
    dx, dy = between(random, -8, 8), between(random, -6, 6)
    box(draw, BIG / 2 + dx, 50 + dy, 200, 66, colour(random, 120, 240), 16)
    if random.random() < 0.5:
        box(draw, BIG / 2 + dx, 14 + dy, 60, 14, (30, 30, 35), 6)
    leather = colour(random, 30, 170)
    unit_front, unit_rear = between(random, 74, 88), between(random, 50, 58)
    for row, (seats_here, base, unit, spread) in enumerate(
        [
            (["rear left", "rear right"], 128 + dy, unit_rear, between(random, 50, 58)),
            (["driver", "front passenger"], 252 + dy, unit_front, between(random, 58, 66)),
        ]
    ):
        for side, seat in zip((-1, 1), seats_here):
            cx = BIG / 2 + dx + side * spread + between(random, -3, 3)
            box(draw, cx, base - unit * 0.45, unit * 1.25, unit * 1.2, shade(leather, 0.8 + 0.25 * row), unit * 0.22)
            box(draw, cx, base - unit * 1.2, unit * 0.62, unit * 0.42, shade(leather, 0.7 + 0.25 * row), unit * 0.12)
            state = seats[seat]
            if state["occupant"] != "empty":
                draw_person(random, draw, cx, base, unit, state["occupant"], state["belt"], state["eyes"])
            elif random.random() < 0.3:
                # A bag is not a person.
                box(draw, cx, base - unit * 0.2, unit * 0.55, unit * 0.4, colour(random, 20, 220), 4)
    for state in seats.values():
        if state["occupant"] in ("empty", "baby"):
            state["belt"] = None
        if state["occupant"] == "empty":
            state["eyes"] = None
    return finish(random, picture), {"use": "cabin", "seats": seats}


# Parking sign --------------------------------------------------------------------------------------------------------


def draw_sign(random):
    picture, draw = canvas(random, 110, 235)
    ground = between(random, 175, 215)
    draw.rectangle((0, ground, BIG, BIG), colour(random, 60, 140))
    for _ in range(int(random.integers(1, 5))):
        w, h = between(random, 30, 80), between(random, 40, 130)
        x = between(random, 0, BIG)
        wall = colour(random, 70, 210)
        draw.rectangle((x - w / 2, ground - h, x + w / 2, ground), wall)
        for k in range(int(random.integers(0, 4))):
            draw.rectangle((x - w / 4, ground - h + 8 + 24 * k, x, ground - h + 20 + 24 * k), shade(wall, 1.3))
    if random.random() < 0.5:
        x, w = between(random, 20, BIG - 20), between(random, 60, 90)
        paint = colour(random, 40, 220)
        box(draw, x, ground + 14, w, 22, paint, 6)
        box(draw, x, ground, w * 0.5, 20, shade(paint, 0.8), 6)
        for side in (-1, 1):
            disc(draw, x + side * w * 0.3, ground + 26, 8, 8, (20, 20, 20))
    kind = pick(random, SIGNS)
    hours = None if random.random() < 0.15 else (int(random.integers(5, 12)), int(random.integers(13, 23)))
    size = between(random, 80, 108)
    cx, cy = between(random, 90, BIG - 90), between(random, 60, 84)
    draw.rectangle((cx - 3, cy, cx + 3, BIG), (110, 112, 115))
    if kind == "parking":
        box(draw, cx, cy, size, size, (20, 80, 190), 8, (240, 240, 245), 4)
        text(draw, cx, cy + 2, "P", size * 0.8, (250, 250, 250))
    else:
        disc(draw, cx, cy, size / 2, size / 2, (205, 25, 35))
        disc(draw, cx, cy, size * 0.38, size * 0.38, (25, 80, 185))
        reach = size * 0.32
        draw.line((cx - reach, cy - reach, cx + reach, cy + reach), (205, 25, 35), round(size * 0.11))
    if hours:
        plate = size * between(random, 1.55, 1.7)
        py = cy + size * 0.5 + plate * 0.22
        box(draw, cx, py, plate, plate * 0.4, (248, 248, 245), 5, (25, 25, 25), 3)
        text(draw, cx, py, f"{hours[0]}-{hours[1]}", plate * 0.34, (15, 15, 15))
    return finish(random, picture), {"use": "sign", "kind": kind, "hours": hours}


# Instrument cluster --------------------------------------------------------------------------------------------------


def draw_lamp(draw, lamp, cx, cy, r, fill):
    """A pictogram of one warning lamp, about `2 r` wide."""
    width = max(3, round(r * 0.28))
    if lamp == "engine":
        draw.rectangle((cx - r * 0.7, cy - r * 0.45, cx + r * 0.5, cy + r * 0.6), fill)
        draw.rectangle((cx - r * 0.4, cy - r * 0.9, cx + r * 0.3, cy - r * 0.6), fill)
        draw.rectangle((cx + r * 0.5, cy - r * 0.15, cx + r, cy + r * 0.4), fill)
    elif lamp == "oil pressure":
        draw.polygon([(cx - r, cy - r * 0.1), (cx + r * 0.4, cy - r * 0.1), (cx + r, cy - r * 0.6), (cx + r * 0.4, cy + r * 0.6), (cx - r * 0.7, cy + r * 0.6)], fill)
        draw.rectangle((cx - r * 0.35, cy - r * 0.5, cx - r * 0.05, cy), fill)
    elif lamp == "battery":
        draw.rectangle((cx - r, cy - r * 0.5, cx + r, cy + r * 0.7), outline=fill, width=width)
        draw.rectangle((cx - r * 0.75, cy - r * 0.85, cx - r * 0.3, cy - r * 0.5), fill)
        draw.rectangle((cx + r * 0.3, cy - r * 0.85, cx + r * 0.75, cy - r * 0.5), fill)
    elif lamp == "brake":
        disc(draw, cx, cy, r * 0.75, r * 0.75, None, fill, width)
        draw.rectangle((cx - r * 0.12, cy - r * 0.45, cx + r * 0.12, cy + r * 0.1), fill)
        draw.rectangle((cx - r * 0.12, cy + r * 0.25, cx + r * 0.12, cy + r * 0.45), fill)
        draw.arc((cx - r * 1.15, cy - r * 1.15, cx + r * 1.15, cy + r * 1.15), 140, 220, fill, width)
        draw.arc((cx - r * 1.15, cy - r * 1.15, cx + r * 1.15, cy + r * 1.15), -40, 40, fill, width)
    elif lamp == "airbag":
        disc(draw, cx - r * 0.45, cy - r * 0.6, r * 0.32, r * 0.32, fill)
        disc(draw, cx + r * 0.45, cy - r * 0.1, r * 0.55, r * 0.55, fill)
        draw.line((cx - r * 0.5, cy - r * 0.2, cx - r * 0.3, cy + r * 0.8, cx + r * 0.5, cy + r * 0.9), fill, width)
    elif lamp == "tyre pressure":
        draw.arc((cx - r * 0.9, cy - r * 0.9, cx + r * 0.9, cy + r * 0.9), -50, 230, fill, width)
        draw.rectangle((cx - r * 0.7, cy + r * 0.72, cx + r * 0.7, cy + r * 0.95), fill)
        draw.rectangle((cx - r * 0.12, cy - r * 0.5, cx + r * 0.12, cy + r * 0.4), fill)
    elif lamp == "coolant":
        draw.rectangle((cx - r * 0.14, cy - r, cx + r * 0.14, cy + r * 0.3), fill)
        disc(draw, cx, cy + r * 0.35, r * 0.32, r * 0.32, fill)
        draw.line((cx - r, cy + r * 0.85, cx + r, cy + r * 0.85), fill, width)
        draw.line((cx + r * 0.15, cy - r * 0.7, cx + r * 0.7, cy - r * 0.7), fill, width)
        draw.line((cx + r * 0.15, cy - r * 0.2, cx + r * 0.7, cy - r * 0.2), fill, width)
    else:
        draw.polygon([(cx - r * 0.5, cy + r * 0.9), (cx - r * 0.5, cy - r * 0.9), (cx + r * 0.2, cy - r * 0.9), (cx + r * 0.2, cy + r * 0.9)], fill)
        draw.line((cx - r * 0.5, cy - r * 0.2, cx - r * 1.1, cy + r * 0.5), fill, width)
        draw.line((cx + r * 0.2, cy - r * 0.2, cx + r * 0.9, cy + r * 0.5), fill, width)


def draw_cluster(random):
    picture, draw = canvas(random, 0, 60)
    ink = pick(random, [(240, 240, 240), (180, 220, 255), (255, 215, 150), (170, 255, 190)])
    dark = shade(ink, 0.2)
    dx, dy = between(random, -10, 10), between(random, -8, 8)
    digital = bool(random.random() < 0.5)
    cx, cy, r = 92 + dx, 96 + dy, between(random, 68, 80)
    disc(draw, cx, cy, r, r, shade(ink, 0.07), ink, 3)
    if digital:
        speed = int(random.integers(0, 200))
        text(draw, cx, cy - 6, str(speed), r * 0.8, ink)
        text(draw, cx, cy + r * 0.5, "km/h", r * 0.26, shade(ink, 0.7))
    else:
        speed = int(random.integers(0, 12)) * 20
        at = lambda value, reach: (
            cx + r * reach * math.cos(math.radians(135 + value / 220 * 270)),
            cy + r * reach * math.sin(math.radians(135 + value / 220 * 270)),
        )
        for value in range(0, 221, 20):
            draw.line((*at(value, 0.84), *at(value, 0.97)), ink, 3)
            if value % 40 == 0:
                text(draw, *at(value, 0.68), str(value), r * 0.2, shade(ink, 0.8))
        draw.line((cx, cy, *at(speed, 0.88)), pick(random, [(255, 60, 40), (255, 150, 20)]), 7)
        disc(draw, cx, cy, r * 0.12, r * 0.12, (90, 90, 95))
    fuel = int(random.integers(0, FUEL_STEPS + 1))
    fx, fy, step = 216 + between(random, -6, 6), 150 + dy, 13
    for k in range(FUEL_STEPS):
        box(draw, fx, fy - k * step, 30, step - 4, ink if k < fuel else dark, 2)
    text(draw, fx, fy + 18, "fuel", 15, ink)
    gear = pick(random, GEARS)
    text(draw, 172 + dx * 0.3, 160 + dy, gear, 34, ink)
    lit = sorted(int(v) for v in random.permutation(len(LAMPS))[: int(random.choice(3, p=[0.15, 0.65, 0.2]))])
    glow = pick(random, [(255, 50, 40), (255, 165, 20)])
    ly, size = 218 + between(random, -4, 6), between(random, 11.5, 13)
    order = random.permutation(len(LAMPS))
    for place, lamp in enumerate(order):
        lx = 24 + place * 29.7 + between(random, -1, 1)
        draw_lamp(draw, LAMPS[lamp], lx, ly, size, glow if lamp in lit else shade(ink, 0.16))
    lamps = [LAMPS[k] for k in lit]
    return finish(random, picture), {"use": "cluster", "speed": speed, "fuel": fuel, "gear": gear, "lamps": lamps}


# Screen --------------------------------------------------------------------------------------------------------------


def draw_screen(random):
    light = bool(random.random() < 0.4)
    picture, draw = canvas(random, 200, 255) if light else canvas(random, 0, 70)
    ink = (20, 20, 30) if light else (240, 240, 245)
    faint = shade(colour(random, 190, 215), 1.0) if light else colour(random, 60, 85)
    accent = pick(random, [(20, 120, 240), (230, 90, 20), (20, 150, 90), (160, 60, 200)])
    dy = between(random, -6, 6)
    temperature = int(random.integers(16, 29))
    volume, fan = int(random.integers(0, MOST_VOLUME + 1)), int(random.integers(0, MOST_FAN + 1))
    entries = [PLACES[k] for k in random.permutation(len(PLACES))[:3]]
    marked = int(random.integers(3))
    swap = bool(random.random() < 0.5)
    left, right = (60, 176) if not swap else (196, 76)
    text(draw, left, 44 + dy, f"{temperature}°", between(random, 52, 62), ink)
    text(draw, left, 100 + dy, "fan", 18, ink)
    for k in range(MOST_FAN):
        h = 12 + 7 * k
        x = left - 40 + k * 20
        draw.rectangle((x - 7, 160 + dy - h, x + 7, 160 + dy), accent if k < fan else faint)
    for k, entry in enumerate(entries):
        y = 34 + dy + k * 48
        box(draw, right, y, 136, 40, accent if k == marked else faint, 8)
        text(draw, right, y, entry, 29, (250, 250, 250) if k == marked else ink)
    x0, y0 = 40 + between(random, -6, 6), 222 + between(random, -8, 10)
    draw.polygon([(x0 - 20, y0 - 6), (x0 - 12, y0 - 6), (x0 - 2, y0 - 14), (x0 - 2, y0 + 14), (x0 - 12, y0 + 6), (x0 - 20, y0 + 6)], ink)
    for k in range(MOST_VOLUME):
        x = x0 + 16 + k * 18
        draw.rectangle((x - 6, y0 - 12, x + 6, y0 + 12), accent if k < volume else faint)
    facts = {"use": "screen", "temperature": temperature, "volume": volume, "fan": fan, "entries": entries, "marked": marked}
    return finish(random, picture), facts


DRAW = {"cabin": draw_cabin, "sign": draw_sign, "cluster": draw_cluster, "screen": draw_screen}
USES = list(DRAW)


def draw_scene(use, random):
    """A picture of a use and its facts."""
    return DRAW[use](random)
