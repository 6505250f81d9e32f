"""What the types of our JSON files are made of: the base of all records, and values within their ranges."""

from typing import Annotated

from msgspec import Meta, Struct


def doc(text: str) -> Meta:
    """Return the description of a key, which enters the JSON Schema and messages."""
    return Meta(description=text)


def one_of(*words: str) -> Meta:
    """Return the constraint to one of several words."""
    # $ alone would also take a line feed.
    return Meta(pattern=f"^({'|'.join(words)})$(?!\n)", extra_json_schema={"enum": list(words)})


def name_of(shape: str, *words: str) -> Meta:
    """Return the constraint to names of a shape; the assay lists them, and the JSON Schema repeats the list."""
    return Meta(pattern=f"^{shape}$(?!\n)", extra_json_schema={"enum": list(words)})


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all records: no key is optional unless it says so, none is unknown."""


NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
Count = Annotated[int, Meta(ge=0)]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Fraction = Annotated[float, Meta(ge=0, le=1)]
NotNegative = Annotated[float, Meta(ge=0)]
Percent = Annotated[float, Meta(ge=0, le=100)]
