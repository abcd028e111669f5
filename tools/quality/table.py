"""The rows that were measured as a table, and whether each reaches its goal."""

HEAD = (
    "model", "bits", "by", "a weight", "with scales", "simulated", "NPU", "worst", "error", "seconds", "memory", "size", "",
)


def of(found, engine, key="db"):
    """A figure of an engine, in dB if not said otherwise, or None."""
    return (found.get(engine) or {}).get(key)


def npu(found):
    """The figure on the NPU in dB, or None."""
    return of(found, "npu")


# Beyond this a figure says no more: the float model of another engine is as far away.
EXACT_DB = 90.0


def verdict(row):
    """What is to be reached and what was, as words, and whether it was: `(wanted, reached, met)`; met is None without a
    figure to reach."""
    if row.get("most_percent") is not None:
        return of_perplexity(row)
    wanted, reached, met = of_decibels(row)
    return decibels(wanted) + ("" if row["least_db"] is not None else ", of the better peer"), decibels(reached), met


def of_perplexity(row):
    """Of language models less is better. What counts is ours on the NPU. Peers are simulated, which favours them."""
    figures = lambda made, engine: (of(found, engine, "above_percent") for found in made.values())
    least = lambda known: min((one for one in known if one is not None), default=None)
    reached, peer = least(figures(row["ours"], "npu")), least(figures(row["peers"], "simulated"))
    limits, wanted = [row["most_percent"]], f"+{row['most_percent']:g} % at most"
    share = row.get("most_of_peer")
    if share is not None and peer is None:
        wanted += ", and no peer has a figure"
    elif share is not None:
        limits.append(share * peer)
        wanted += f", and {share:g} of the better peer's {percent(peer)}, simulated"
    return wanted, percent(reached), reached is not None and reached <= min(limits)


def of_decibels(row):
    most = row.get("most_bits")
    fits = lambda found: most is None or found.get("bits_per_weight", most + 1) <= most
    own = [npu(found) for found in row["ours"].values() if fits(found)]
    peers = [npu(found) for found in row["peers"].values()]
    best = lambda figures: max((one for one in figures if one is not None), default=None)
    if row["least_db"] is not None:
        wanted, reached = row["least_db"], best(own)
    else:
        wanted, reached = best(peers), best(own)
    if reached is None:
        return wanted, None, False
    return wanted, reached, None if wanted is None else round(reached, 1) >= min(round(wanted, 1), EXACT_DB)


def decibels(figure):
    return "-" if figure is None else f"{figure:.1f} dB"


def percent(figure):
    return "-" if figure is None else f"{figure:+.1f} %"


def of_engine(found, engine):
    """What an engine reached, as words."""
    above = of(found, engine, "above_percent")
    return decibels(of(found, engine)) if above is None else percent(above)


def figure(found):
    """The figure that counts, as words. Perplexity of a peer is known in simulation alone."""
    if "float" in found and not found.get("npu"):
        return f"{of_engine(found, 'simulated')}, simulated"
    return of_engine(found, "npu")


def perplexities(found):
    """What the percents of a language model are of, as words."""
    engines = (("simulated", "simulated"), ("npu", "NPU"))
    of_each = [("float", found["float"]), *((word, of(found, engine, "perplexity")) for engine, word in engines)]
    return "perplexity " + ", ".join(f"{value:.2f} {word}" for word, value in of_each if value is not None)


def line(row, by, found):
    cost = lambda key, scale, unit: "-" if key not in found else f"{found[key] / scale:.2f} {unit}"
    seconds = "-" if "seconds" not in found else f"{found['seconds']:.1f} s"
    words = perplexities(found) if "float" in found else ""
    remark = found.get("failed") or found.get("refused") or words
    if found.get("on") == "our float graph":
        remark = f"on our float graph {remark}".strip()
    bits = lambda key: "-" if key not in found else f"{found[key]:.2f}"
    # The root mean square of the error, as a share of that of the signal.
    error = "-" if npu(found) is None else f"{100 * 10 ** (-npu(found) / 20):.3g} %"
    return (
        row["name"], row["bits"], by, bits("bits_per_weight"), bits("bits_with_scales"),
        of_engine(found, "simulated"), of_engine(found, "npu"), decibels(of(found, "npu", "worst_db")), error, seconds,
        cost("peak_bytes", 1e9, "GB"), cost("binary_bytes", 1e6, "MB") if found.get("binary_bytes") else "-",
        remark[:100],
    )


def text(rows):
    """The table, as lines."""
    lines = [HEAD]
    for row in rows:
        for by, found in [*((f"ours, {name}", found) for name, found in row["ours"].items()), *row["peers"].items()]:
            lines.append(line(row, by, found))
    widths = [max(len(one[at]) for one in lines) for at in range(len(HEAD))]
    left = (0, 1, 2, len(HEAD) - 1)
    cell = lambda at, value: value.ljust(widths[at]) if at in left else value.rjust(widths[at])
    return ["  ".join(cell(at, value) for at, value in enumerate(one)).rstrip() for one in lines]


def summary(rows):
    """A sentence for each goal, and whether all are met."""
    lines, good = [], True
    for row in rows:
        wanted, reached, met = verdict(row)
        if met is None:
            lines.append(f"{row['name']} {row['bits']}: {reached}, and no peer has a figure")
            continue
        good &= met
        verb = "met" if met else "MISSED"
        lines.append(f"{row['name']} {row['bits']}: {verb}: {reached}, goal {wanted}")
    return lines, good


def report(rows, broken):
    """Everything that is printed, and the exit status: 0, 1 where a goal is missed, 2 where a row was not measured."""
    lines, good = summary(rows)
    lines = [*text(rows), "", *lines, *(f"not measured: {one}" for one in broken)]
    return lines, 2 if broken else 0 if good else 1
