"""Questions about scenes, with answers that follow from the facts alone; and the facts as words.

An answer has one spelling, questions have many. Times, seats, entries and amounts are drawn at random, so that a question
tells little about its answer.
"""

import json

from scenes import FUEL_STEPS, MOST_FAN, MOST_VOLUME, SEATS, pick

COUNTS = ["None", "One", "Two", "Three", "Four"]
NAMES = {"adult": "An adult.", "child": "A child.", "baby": "A baby in a child seat.", "empty": "Nobody."}
WHERE = ["first", "second"]
ORDINALS = ["first", "second", "third"]


def listed(words, none):
    """`A, b and c.`"""
    if not words:
        return none
    joined = words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
    return joined[0].upper() + joined[1:] + "."


def call(name, **arguments):
    return json.dumps({"call": name, **arguments}, separators=(",", ":"))


def clock(hour, minute=0):
    return f"{hour:02}:{minute:02}"


def change(random, value, low, high, most):
    """A step of 1..most up or down that stays within low..=high; gives its words and the value after it."""
    steps = [s for s in range(-most, most + 1) if s and low <= value + s <= high]
    step = pick(random, steps)
    return step, value + step


# Each function gives (question, answer) or None where the facts do not allow the question. -----------------------------


def who_sits(random, f):
    seat = pick(random, SEATS)
    place = {"driver": "in the driver's seat", "front passenger": "in the front passenger seat"}.get(seat, seat)
    ask = pick(random, ["Who sits {}?", "Who is sitting {}?", "Is anyone {}, and who?", "Tell me who sits {}."])
    return ask.format(place), NAMES[f["seats"][seat]["occupant"]]


def without_belt(random, f):
    who = [seat for seat in SEATS if f["seats"][seat]["belt"] is False]
    return pick(random, ["Who is not wearing a belt?", "Which seats need a belt reminder?", "Who has no seat belt on?"]), listed(who, "Nobody.")


def with_belt(random, f):
    who = [seat for seat in SEATS if f["seats"][seat]["belt"]]
    return pick(random, ["Who is wearing a belt?", "On which seats is the belt fastened?"]), listed(who, "Nobody.")


def belt_of(random, f):
    seat = pick(random, SEATS)
    state = f["seats"][seat]
    if state["occupant"] == "baby":
        return None
    answer = "Nobody sits there." if state["belt"] is None else "Yes, belted." if state["belt"] else "No belt."
    return pick(random, ["Is the {} person wearing a belt?", "Belt check, please: {}.", "Is the belt fastened, {}?"]).format(seat), answer


def eyes_of(random, f):
    seat = pick(random, SEATS[:2])
    answer = {None: "Nobody sits there.", "open": "Open.", "closed": "Closed."}[f["seats"][seat]["eyes"]]
    return pick(random, ["Are the {}'s eyes open or closed?", "What about the {}'s eyes?", "Is the {} awake? Look at the eyes."]).format(seat), answer


def asleep(random, f):
    who = [seat for seat in SEATS if f["seats"][seat]["eyes"] == "closed"]
    return pick(random, ["Who has closed eyes?", "Who may be asleep?", "Whose eyes are closed?"]), listed(who, "Nobody.")


def how_many(random, f):
    count = sum(f["seats"][seat]["occupant"] != "empty" for seat in SEATS)
    return pick(random, ["How many people are in the car?", "How many seats are taken?", "Count the people."]), COUNTS[count] + "."


def child_seat(random, f):
    where = [seat for seat in SEATS if f["seats"][seat]["occupant"] == "baby"]
    return pick(random, ["Where is a child seat?", "Is there a child seat, and where?", "Which seats hold a child seat?"]), listed(where, "There is none.")


def free_seats(random, f):
    free = [seat for seat in SEATS if f["seats"][seat]["occupant"] == "empty"]
    return pick(random, ["Which seats are free?", "Where could someone else sit?", "Name the empty seats."]), listed(free, "None.")


def may_park(random, f):
    hour, minute = int(random.integers(0, 24)), pick(random, [0, 0, 15, 30, 45])
    ask = pick(random, ["It is {}. May I park here?", "Can I park here at {}?", "The time is {}; is parking allowed?", "May I leave the car here at {}?"])
    return ask.format(clock(hour, minute)), parking_answer(f["kind"], f["hours"], hour)


def parking_answer(kind, hours, hour):
    if hours is None:
        return "Yes, at any time." if kind == "parking" else "No, never."
    start, end = hours
    inside = start <= hour < end
    if kind == "parking":
        return f"Yes, until {clock(end)}." if inside else f"No, only from {clock(start)}."
    return f"No, not before {clock(end)}." if inside else f"Yes, until {clock(start)}."


def sign_text(random, f):
    what = "Parking" if f["kind"] == "parking" else "No parking"
    when = "at any time" if f["hours"] is None else f"{clock(f['hours'][0])} to {clock(f['hours'][1])}"
    return pick(random, ["What does the sign say?", "Read the sign to me.", "Which rule does the sign give?"]), f"{what} {when}."


def sign_from(random, f):
    answer = "At any time." if f["hours"] is None else f"From {clock(f['hours'][0])}."
    return pick(random, ["From when does the sign apply?", "When does the rule on the sign begin?"]), answer


def sign_until(random, f):
    answer = "At any time." if f["hours"] is None else f"Until {clock(f['hours'][1])}."
    return pick(random, ["Until when does the sign apply?", "When does the rule on the sign end?"]), answer


def speed(random, f):
    return pick(random, ["What is the speed?", "How fast are we going?", "What does the speedometer show?", "Tell me our speed."]), f"{f['speed']} km/h."


def fuel(random, f):
    return pick(random, ["How full is the tank?", "What is the fuel level?", "How much fuel is left?"]), f"{f['fuel']}/{FUEL_STEPS}."


def lamps(random, f):
    return pick(random, ["Which warning lamp is lit?", "Which warning lamps are on?", "Is there a warning, and which?", "What warns me?"]), listed(f["lamps"], "None.")


def gear(random, f):
    return pick(random, ["Which gear is engaged?", "What gear are we in?", "Where is the selector?"]), f"{f['gear']}."


def status(random, f):
    return pick(random, ["Give me speed and gear.", "Speed and gear, please."]), f"{f['speed']} km/h, {f['gear']}."


NUMBERS = ["zero", "one", "two", "three"]


def warmer(random, f):
    step, after = change(random, f["temperature"], 14, 30, 3)
    degrees = NUMBERS[abs(step)] + (" degree" if abs(step) == 1 else " degrees")
    ask = pick(random, ["Make it {0} {1}.", "I would like it {0} {1}, please.", "{0} {1}, please."])
    asked = ask.format(degrees, "warmer" if step > 0 else "cooler")
    return asked[0].upper() + asked[1:], call("climate", temperature=after)


def louder(random, f):
    step, after = change(random, f["volume"], 0, MOST_VOLUME, 3)
    ask = pick(random, ["Turn the volume {1} by {0}.", "Volume {1} by {0}.", "Music {1} by {0}, please."])
    return ask.format(NUMBERS[abs(step)], "up" if step > 0 else "down"), call("volume", level=after)


def fan_step(random, f):
    step, after = change(random, f["fan"], 0, MOST_FAN, 2)
    ask = pick(random, ["Fan {1} by {0}.", "Turn the fan {1} by {0}.", "Set the fan {0} {1}."])
    return ask.format(NUMBERS[abs(step)], "up" if step > 0 else "down"), call("fan", level=after)


def go_to(random, f):
    k = int(random.integers(3))
    ask = pick(random, ["Take me to the {} entry.", "Navigate to the {} place in the list.", "Start guidance to the {} one."])
    return ask.format(ORDINALS[k]), call("navigate", to=f["entries"][k])


def go_to_marked(random, f):
    ask = pick(random, ["Take me to the marked entry.", "Navigate to the highlighted place.", "Go where the marker is."])
    return ask, call("navigate", to=f["entries"][f["marked"]])


def save_marked(random, f):
    k = int(random.integers(3))
    if k == f["marked"]:
        return pick(random, ["Remove the marked entry.", "Delete the highlighted place."]), call("remove", entry=f["entries"][k])
    return pick(random, ["Mark the {} entry.", "Move the marker to the {} place."]).format(ORDINALS[k]), call("mark", entry=f["entries"][k])


ASK = {
    "cabin": [who_sits, without_belt, with_belt, belt_of, eyes_of, asleep, how_many, child_seat, free_seats],
    "sign": [may_park, may_park, may_park, sign_text, sign_from, sign_until],
    "cluster": [speed, speed, fuel, lamps, lamps, gear, status],
    "screen": [warmer, louder, fan_step, go_to, go_to_marked, save_marked],
}


def ask_about(random, facts, times):
    """`times` different questions with answers about one scene."""
    made = []
    while len(made) < times:
        question = pick(random, ASK[facts["use"]])(random, facts)
        if question and all(question[0] != other for other, _ in made):
            made.append(question)
    return made


def ask_about_two(random, first, second, times):
    """Questions about two scenes of one use: which of them is meant, or how they compare."""
    made = []
    while len(made) < times:
        compared = compare(random, first, second) if random.random() < 0.25 else None
        if compared:
            question, answer = compared
        else:
            which = int(random.integers(2))
            asked = pick(random, ASK[first["use"]])(random, (first, second)[which])
            if not asked:
                continue
            question = f"In the {WHERE[which]} picture: {asked[0]}"
            answer = asked[1]
        if all(question != other for other, _ in made):
            made.append((question, answer))
    return made


def compare(random, a, b):
    """Which of two pictures shows more of something."""
    counts = {
        "cabin": ("Which picture shows more people?", lambda f: sum(s["occupant"] != "empty" for s in f["seats"].values())),
        "cluster": pick(
            random,
            [("Which picture shows the higher speed?", lambda f: f["speed"]), ("In which picture is more fuel?", lambda f: f["fuel"])],
        ),
        "screen": ("In which picture is the volume higher?", lambda f: f["volume"]),
    }
    if a["use"] not in counts:
        return None
    question, value = counts[a["use"]]
    x, y = value(a), value(b)
    return question, "Both alike." if x == y else "The first." if x > y else "The second."


def caption(random, f):
    return pick(random, ["Describe the picture.", "What do you see?"]), describe(f) + "."


def caption_of_two(random, *facts):
    """One of two pictures is described."""
    which = int(random.integers(2))
    ask = pick(random, ["Describe the {} picture.", "What do you see in the {} picture?"])
    return ask.format(WHERE[which]), describe(facts[which]) + "."


def describe(facts):
    """The facts of a scene in words, for the language model's first lessons."""
    use = facts["use"]
    if use == "cabin":
        parts = []
        for seat in SEATS:
            s = facts["seats"][seat]
            belt = {None: "", True: " belted", False: " no belt"}[s["belt"]]
            eyes = "" if s["eyes"] is None else f" {s['eyes']}"
            parts.append(f"{seat} {s['occupant']}{belt}{eyes}")
        return ", ".join(parts)
    if use == "sign":
        hours = "any time" if facts["hours"] is None else f"{clock(facts['hours'][0])} to {clock(facts['hours'][1])}"
        return f"{facts['kind']} {hours}"
    if use == "cluster":
        return f"{facts['speed']} km/h, {facts['fuel']}/{FUEL_STEPS}, {facts['gear']}, {', '.join(facts['lamps']) or 'no lamp'}"
    entries = ", ".join(("marked " if k == facts["marked"] else "") + entry for k, entry in enumerate(facts["entries"]))
    return f"{facts['temperature']} degrees, volume {facts['volume']}, fan {facts['fan']}, {entries}"
