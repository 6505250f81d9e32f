"""Ways in which laboratories name their files, and folders of files named so, whose truth is known."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

PEOPLE = 12
MISSING = 0.08  # share of tubes that a person lacks: parts of sets are what is merged without a word
FEW = 0.5  # the same where people have only parts of sets
KINDS = (
    ("unstimulated", "CD154"),
    ("stimulated", "CD154"),
    ("stimulated", "isotype"),
    ("stimulated", "CD40-Ig"),
    ("stimulated", "secondary"),
)
REAGENTS: Mapping[str, Sequence[str]] = {
    "plain": ("CD154", "isotype", "CD40-Ig", "secondary"),
    "lower": ("cd154", "iso", "cd40ig", "sec"),
    "ligand": ("CD40L", "IgG1", "CD40-muIg", "GAM"),
    "german": ("CD154", "Isotypkontrolle", "CD40-Ig", "Sekundär"),
    "french": ("CD40L", "isotypique", "CD40-Fc", "secondaire"),
    "spanish": ("CD154", "isotipo", "CD40Ig", "secundario"),
    "italian": ("CD154", "isotipo", "CD40Fc", "secondario"),
    "dyes": ("CD154 PE", "isotype PE", "CD40-Ig PE", "sec only PE"),
    "fmo": ("CD154", "FMO CD154", "CD40-muIg", "2nd only"),
}


@dataclass(frozen=True)
class Tube:
    """One file: path, whose it is (empty: no tube of the assay), what it is, and keywords of its header."""

    path: str
    person: str
    stimulation: str
    reagent: str
    keywords: Mapping[str, str]


@dataclass(frozen=True)
class Scheme:
    """A way of naming: ``template`` of a path with fields, ``people`` how they are called, words, what else is there.

    Fields: id, s (stimulation), r (reagent), n (counter of all files), p (counter of a person's files), t (number of
    the kind), w and w2 (well, plain and as BD doubles it), d (date), k (number of the person), o (operator), g (a
    folder for stimulation), f (the person's first name, which two people may share).
    """

    name: str
    template: str
    people: str = "P"
    words: tuple[str, str] = ("unstim", "stim")
    reagents: str = "plain"
    dates: int = 1
    date: str = "%Y-%m-%d"
    labels: str = "CD154 PE"
    specimen: str = "constant"
    kinds: Sequence[int] = (0, 1, 2, 3, 4)
    replicates: int = 1
    extra: Sequence[str] = field(default=())


def people(style: str, rng: random.Random) -> list[str]:
    """Return the names of the people of one folder, all different."""
    number = rng.randrange(1, 60)
    letters = "ABCDEFGHJKLMNPRSTUVW"
    styles: dict[str, Callable[[int], str]] = {
        "P": lambda n: f"P{n + 1:02d}",
        "plain P": lambda n: f"P{n + 1}",
        "wells": lambda n: ("C01", "H07", "D1", "A3", "B12", "C02", "H08", "D2", "E05", "F1", "G9", "A4")[n],
        "patients": lambda n: f"Patient {n + 1}",
        "mixed": lambda n: f"HC{n + 1}" if n < 3 else f"Pat{n - 2}",
        "codes": lambda n: f"XH-{number + n}",
        "long": lambda n: f"XHIM-2025-{number + n:04d}",
        "numbers": lambda n: f"{10_000_000 + 7919 * (number + n):08d}",
        "short numbers": lambda n: f"{number + n}",
        "umlauts": lambda n: ("ÄB", "ÖB", "ÜB", "AB", "OB", "UB", "ÉL", "EL", "ÇA", "CA", "ØN", "ON")[n],
        "surnames": lambda n: (
            "Müller",
            "Möller",
            "Miller",
            "Böhm",
            "Bohm",
            "García",
            "Gracia",
            "Lefèvre",
            "Rossi",
            "Russo",
            "Weiß",
            "Weiss",
        )[n],
        "families": lambda n: f"F{n // 3 + 1:02d} {('index', 'mother', 'father')[n % 3]}",
        "family letters": lambda n: f"K{n // 3 + 1:02d}{'abc'[n % 3]}",
        "family parts": lambda n: f"{n // 4 + 1}-{n % 4 + 1}",
        "german family": lambda n: f"P{n // 3 + 1:02d} {('Index', 'Mutter', 'Bruder')[n % 3]}",
        "chinese": lambda n: "张王李赵陈杨黄周吴徐孙马"[n] + "伟芳娜敏静丽强磊军洋勇艳"[n],
        "trap initials": lambda n: ("NS", "US", "PE", "PI", "MD", "SE", "IS", "ST", "AB", "KL", "HC", "MO")[n],
        "donors": lambda n: f"Donor_{n + 1}" if n < 4 else f"XLHIGM_{n - 3}",
    }
    if style == "initials":
        found: list[str] = []
        while len(found) < PEOPLE:
            each = "".join(rng.choice(letters) for _ in range(2))
            if each not in (*found, "PE", "NS", "US", "PI", "ST", "HC", "NC", "MO", "PB", "FA", "HD", "ND", "WB"):
                found.append(each)
        return found
    return [styles[style](n) for n in range(PEOPLE)]


def folder(scheme: Scheme, rng: random.Random, missing: float = MISSING) -> Iterator[Tube]:
    """Yield the files of one folder that is named by a scheme; ``missing`` is the share of tubes that people lack."""
    names = people(scheme.people, rng)
    first = datetime.date(2024, 1, 1) + datetime.timedelta(rng.randrange(600))
    days = [first + datetime.timedelta(7 * n) for n in range(scheme.dates)]
    operators = ("KL", "MB")
    counter = rng.randrange(1, 40)
    place = 0
    words = REAGENTS[scheme.reagents]
    if len(set(names)) < PEOPLE:
        raise AssertionError(scheme.name)
    for k, name in enumerate(names):
        day = days[k * scheme.dates // PEOPLE]
        kinds = [kind for kind in scheme.kinds if rng.random() >= missing] or [scheme.kinds[0]]
        if rng.random() < 0.3:
            rng.shuffle(kinds)
        tubes = [(kind, replicate) for kind in kinds for replicate in range(scheme.replicates)]
        for p, (kind, replicate) in enumerate(tubes, 1):
            stimulation, reagent = KINDS[kind]
            at = {"CD154": 0, "isotype": 1, "CD40-Ig": 2, "secondary": 3}[reagent]
            row, column = "ABCDEFGH"[place // 12 % 8], place % 12 + 1
            fields = {
                **{"id": name, "s": scheme.words[stimulation == "stimulated"], "r": words[at], "n": counter, "p": p},
                **{"t": kind + 1, "w": f"{row}{column:02d}", "w2": f"{row}{column}_{row}{column:02d}", "k": k + 1},
                **{"d": day.strftime(scheme.date), "o": operators[k % 2], "e": replicate + 1},
                **{"f": ("Anna", "Jan", "Mia", "Noah")[k % 4]},
                **{"g": ("Unstimulated", "Stimulated")[stimulation == "stimulated"]},
            }
            specimen = {"constant": "Specimen_001", "person": f"specimen {k + 1}", "none": ""}[scheme.specimen]
            label = scheme.labels.replace("*", words[at])
            keywords = {"$SRC": specimen, "TUBE NAME": f"Tube_{p:03d}", "LABEL": label, "$DATE": f"{day:%d-%b-%Y}"}
            true = "FMO" if words[at].startswith("FMO") else reagent
            yield Tube(scheme.template.format(**fields), f"{name}@{k}", stimulation, true, keywords)
            counter += 1
            place += 1
    for path in scheme.extra:
        yield Tube(path, "", "", "", {"$SRC": "Compensation Controls", "TUBE NAME": path, "LABEL": scheme.labels})


_DE, _FR = ("unstimuliert", "stimuliert"), ("non stimulé", "stimulé")
_ES, _IT = ("no estimulado", "estimulado"), ("non stimolato", "stimolato")
_COMP = [f"Compensation Controls_{dye} Stained Control_{n:03d}.fcs" for n, dye in enumerate(("PE", "APC", "FITC"), 1)]

TUNED = [
    Scheme("plain", "{id}_{s}_{r}.fcs", reagents="lower"),
    Scheme("people like wells", "{id}_{s}_{r}.fcs", "wells"),
    Scheme("people like wells, date folder", "{d}/{id} {s} {r}.fcs", "wells", dates=3),
    Scheme("P07 in a date folder", "{d}/{id}_{s}_{r}.fcs", dates=2, date="%Y%m%d"),
    Scheme("DIVA, tube named", "Specimen_001_{id} {s} {r}_{n:03d}.fcs"),
    Scheme("DIVA, specimen named", "{id}_{s} {r}_{p:03d}.fcs", "codes", specimen="person", extra=_COMP),
    Scheme("DIVA defaults", "Specimen_001_Tube_{n:03d}.fcs", labels=""),
    Scheme("DIVA specimen numbers", "Specimen_{k:03d}_{s} {r}_{p:03d}.fcs", specimen="person"),
    Scheme("DIVA plate, wells only", "Specimen_001_{w2}_{n:03d}.fcs", labels=""),
    Scheme("DIVA plate, tube named", "Specimen_001_{id} {s} {r}_{w2}_{n:03d}.fcs", "codes"),
    Scheme("plate, well last", "{id}_{s}_{r}_{w}.fcs"),
    Scheme("plate, well first", "{w} {id} {s} {r}.fcs", "initials"),
    Scheme("Navios", "{id} {s} {r} {n:08d} 456.LMD", "numbers", reagents="ligand", specimen="none"),
    Scheme("Navios, reagent first", "{r} {s} {id} {n:08d}.LMD", "surnames", specimen="none"),
    Scheme(
        "Cytek groups", "{id}/{s} {r}.fcs", "codes", ("Unstim", "PMA+Iono"), extra=["Reference Group/PE (Beads).fcs"]
    ),
    Scheme("Cytek default group", "Group_001/{id}_{s}_{r}_Unmixed.fcs", "patients"),
    Scheme("date first", "{d}_{id}_{s}_{r}.fcs", "initials", dates=3, date="%Y%m%d"),
    Scheme("date first, short", "{d}_{id}_{s}_{r}.fcs", "P", dates=3, date="%y%m%d"),
    Scheme("date with dots", "{d} {id} {s} {r}.fcs", "surnames", _DE, "german", 2, "%d.%m.%Y"),
    Scheme("initials first", "{id}_{r}_{s}_{n:03d}.fcs", "initials"),
    Scheme("initials last", "{s}_{r}_{id}.fcs", "initials"),
    Scheme("initials that are words", "{id}_{s}_{r}.fcs", "trap initials"),
    Scheme("codes", "{id} {s} {r}.fcs", "long", ("resting", "PMA-Iono")),
    Scheme("numbers", "{id}_{s}_{r}.fcs", "numbers", ("NS", "PMA")),
    Scheme("number last", "{s}_{r}_{k:02d}.fcs", "P"),
    Scheme("short numbers", "{id}-{s}-{r}.fcs", "short numbers"),
    Scheme("families", "{id} {s} {r}.fcs", "families"),
    Scheme("families, letters", "{id}_{s}_{r}.fcs", "family letters"),
    Scheme("families, parts", "Fam {id} {s} {r}.fcs", "family parts"),
    Scheme("replicates", "{id}_{s}_{r}_rep{e}.fcs", replicates=2),
    Scheme("replicates, numbers", "{id}_{s}_{r}_{e}.fcs", "codes", replicates=2),
    Scheme("German", "{id}_{s}_{r}.fcs", "german family", _DE, "german"),
    Scheme("German, ohne und mit", "{id} {s} {r}.fcs", "umlauts", ("ohne PMA", "mit PMA"), "german"),
    Scheme("French", "{id} {s} {r}.fcs", "patients", _FR, "french"),
    Scheme("Spanish", "{d}/{id}_{s}_{r}.fcs", "surnames", _ES, "spanish"),
    Scheme("Italian", "{id}_{s}_{r}.fcs", "mixed", _IT, "italian"),
    Scheme("stimulation as folder", "{g}/{id}_{r}.fcs", "P"),
    Scheme("folders for people, run and stimulation", "Run {o}/{id}/{g}/{r}.fcs", "codes"),
    Scheme("FlowJo export", "export_{id}_{s}_{r}_CD4+.fcs", "donors"),
    Scheme("signs", "{id} {s} {r}.fcs", "chinese", ("PMA-", "PMA+")),
]
assert len(TUNED) == 40


# Written before any of them was drafted; what they showed then was mended for its kind.
SECOND = [
    Scheme("held: tube number first", "{t:02d} {id} {s} {r}.fcs", "initials"),
    Scheme("held: reagent folders", "{r}/{s}/{id}.fcs", "surnames"),
    Scheme("held: run, person, glued", "Exp{o}12/{id}{s}{r}.fcs", "P", ("Unstim", "Stim")),
    Scheme("held: capitals", "{id}_{s}_{r}.FCS", "codes", ("UNSTIMULATED", "STIMULATED")),
    Scheme("held: PBMC and hours", "{d}_PBMC_{id}_{s}_4h_{r}.fcs", "initials", ("unst", "PMA"), dates=2, date="%d%b%Y"),
    Scheme("held: US and PMA", "{id}-{s}-{r}-{n:03d}.fcs", "mixed", ("US", "PMA+Iono"), "ligand"),
    Scheme("held: medium, French", "{id}/{d}_{s}_{r}.fcs", "patients", ("milieu", "PMA"), "french"),
    Scheme(
        "held: French, sans et avec", "{id} {s} {r}.fcs", "surnames", ("sans stimulation", "avec stimulation"), "french"
    ),
    Scheme("held: Spanish, sin y con", "{id} {s} {r}.fcs", "initials", ("sin PMA", "con PMA"), "spanish"),
    Scheme("held: Italian, senza", "{s}_{r}_{id}.fcs", "surnames", ("senza stimolo", "con stimolo"), "italian"),
    Scheme("held: German, nativ", "{id} {s} {r}.fcs", "short numbers", ("nativ", "PMA"), "german"),
    Scheme("held: negation", "{id}_{s}_{r}.fcs", "family letters", ("not_stim", "stim")),
    Scheme("held: codes of one letter", "{id}{s}_{r}.fcs", "P", ("U", "S")),
    Scheme("held: DIVA, cohort", "XHIM cohort_{id} {s} {r}_{p:03d}.fcs", "short numbers", specimen="constant"),
    Scheme("held: DIVA plate and people like wells", "Specimen_001_{id} {s} {r}_{w}_{n:03d}.fcs", "wells"),
    Scheme("held: operator", "{o}_{id}_{r}_{s}.fcs", "numbers"),
    Scheme("held: two tubes", "{id} {s}.fcs", "initials", kinds=(0, 1)),
    Scheme("held: four tubes, folders", "Day {d}/Tubes/{id}/{s}_{r}.fcs", "donors", dates=2, kinds=(0, 1, 3, 4)),
    Scheme("held: FMO", "{id}_{r}_{s}.fcs", "family parts", reagents="fmo"),
    Scheme("held: FlowJo export of live cells", "export_{d}_{id}_{s} {r}_Single Cells.fcs", "codes", dates=2),
    Scheme("held: Attune", "Experiment_Group_{id}_{s}_{r}.fcs", "umlauts"),
    Scheme("held: CytoFLEX wells", "{w}-{id}-{s}-{r}.fcs", "german family", _DE, "german"),
    Scheme("held: number, comma, words", "{k:02d}, {s}, {r}.fcs", "short numbers"),
    Scheme("held: DIVA specimen with the date", "{d}_{id}_{s} {r}_{p:03d}.fcs", "trap initials", dates=2),
    Scheme("held: Tube_001 in folders of people", "{id}/Specimen_001_Tube_{p:03d}.fcs", "surnames", labels=""),
    Scheme("held: MACSQuant", "{d}.{n:04d} {id} {s} {r}.fcs", "codes", date="%Y-%m-%d"),
    Scheme("held: dots", "{id}.{s}.{r}.fcs", "plain P", ("rest", "PMA.Iono")),
    Scheme("held: brackets", "{id} ({s}) [{r}].fcs", "chinese", ("unstimulated", "activated")),
    Scheme("held: sample last in brackets", "{r} {s} (sample {k}).fcs", "P"),
    Scheme("held: dyes", "{id}_{s}_{r}.fcs", "initials", reagents="dyes"),
]

# Written last, and measured as they are.
LAST = [
    Scheme("project, cohort, person", "PID study/{f} {id}/{s}/{r}_{p:03d}.fcs", "long"),
    Scheme("person, day of the week and reagent", "{d}/{id}/{r} {s} tube {t}.fcs", "surnames", dates=3),
    Scheme("kind as letter and number", "{id} T{t} {s} {r}.fcs", "initials"),
    Scheme("BD FACSLyric", "{id}-{s} {r}-{d}-{n:04d}.fcs", "numbers", dates=2, date="%Y%m%d"),
    Scheme("Navios with a panel", "{id} PID panel {s} {r} {n:08d} {t}.LMD", "surnames", _DE, "german", specimen="none"),
    Scheme(
        "Cytek, group of the day",
        "{d}/{id}-{s}-{r}_Raw.fcs",
        "initials",
        dates=2,
        extra=["Reference Group/APC (Cells).fcs"],
    ),
    Scheme("without and with in English", "{id} {s} {r}.fcs", "codes", ("without PMA", "with PMA"), "ligand"),
    Scheme("negative sign in French", "{id}_{s}_{r}.fcs", "initials", ("non activé", "activé"), "french"),
    Scheme(
        "German, kurz",
        "{d} {id} {s} {r}.fcs",
        "patients",
        ("unst", "PMA/I".replace("/", "-")),
        "german",
        date="%d.%m.%y",
    ),
    Scheme("healthy and patients, three tubes", "{id}_{r}_{s}.fcs", "mixed", kinds=(0, 1, 2)),
    Scheme("plate of 96 wells, kind by column", "{w}_{id}_{s}_{r}_{n:03d}.fcs", "family letters"),
    Scheme("unknown words for kinds", "{id}_tube{t}.fcs", "initials", labels=""),
    Scheme("no order", "{r}+{s}+{id}.fcs", "umlauts", ("unstim", "stim")),
    Scheme("two names", "{f} {id} {s} {r}.fcs", "surnames"),
    Scheme("FlowJo export, dates", "export_{d}_{s} {r}_{id}_Lymphocytes.fcs", "codes", dates=3),
    Scheme("Italian folders", "{id}/{s}/{r}.fcs", "numbers", ("non stimolati", "stimolati"), "italian"),
]

_SEPARATORS = ("_", " ", "-", ".", ", ", " - ")
_WORDS = (
    *(
        ("unstim", "stim"),
        ("unstimulated", "stimulated"),
        ("non-stim", "stim"),
        ("resting", "activated"),
        ("NS", "PMA"),
        ("nil", "PMA"),
    ),
    *(
        ("medium", "PMA-Iono"),
        ("no PMA", "PMA"),
        ("ohne Stim", "mit Stim"),
        _DE,
        _FR,
        _ES,
        _IT,
        ("PMA-", "PMA+"),
        ("w-o PMA", "PMA I"),
    ),
    *(
        ("US", "P-I"),
        ("basal", "estimulado"),
        ("au repos", "activé"),
        ("baseline", "PMA"),
        ("untreated", "iono"),
        ("0h", "4h"),
    ),
)
_STYLES = (
    *(
        "P",
        "plain P",
        "wells",
        "patients",
        "mixed",
        "codes",
        "long",
        "numbers",
        "short numbers",
        "umlauts",
        "surnames",
        "families",
    ),
    *("family letters", "family parts", "german family", "chinese", "trap initials", "donors", "initials"),
)


def composed(seed: int) -> Scheme:
    """Return a scheme put together at random: fields, their order, what parts them, folders, words and people."""
    rng = random.Random(f"composed {seed}")
    cut = rng.choice(_SEPARATORS)
    inside = ["{id}", "{s}", "{r}"]
    rng.shuffle(inside)
    outside = []
    if rng.random() < 0.35:
        outside.append(inside.pop(rng.randrange(3)))
    if rng.random() < 0.3:
        outside.insert(0, rng.choice(("{d}", "Run {d}", "plate 1", "{o}", "data")))
    if rng.random() < 0.25:
        inside.insert(0, rng.choice(("Specimen_001", "{d}", "PBMC", "XHIM", "export", "WB")))
    if rng.random() < 0.4:
        inside.append(rng.choice(("{n:03d}", "{p:03d}", "{w}", "{w2}", "{o}", "{d}", "4h", "{n}", "CD3 CD8 CD69")))
    return Scheme(
        f"composed {seed}",
        "/".join([*outside, cut.join(inside)]) + rng.choice((".fcs", ".fcs", ".FCS", ".lmd")),
        rng.choice(_STYLES),
        rng.choice(_WORDS),
        rng.choice([name for name in REAGENTS if name != "dyes"]),
        rng.choice((1, 1, 2, 3)),
        rng.choice(("%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%d-%b-%Y", "%y%m%d")),
        rng.choice(("CD154 PE", "* PE", "")),
        rng.choice(("constant", "person", "none")),
        rng.choice(((0, 1, 2, 3, 4), (0, 1, 2, 3, 4), (0, 1, 2), (0, 1), (0, 1, 3, 4))),
        1,
        _COMP if rng.random() < 0.2 else (),
    )
