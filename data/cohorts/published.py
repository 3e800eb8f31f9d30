"""What is known of a published cohort before a byte of it is fetched: where it lies, under which licence, which files.

Nothing here was looked up on the day it runs: addresses and accessions are those under which the cohorts were
published, and `unverified` says what nobody could try out where this was written.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from data.events import Annotations
from data.outcomes import Refusal
from lineage.refused import Refused


class FetchRefused(Refused):
    """A published cohort cannot be fetched or is not what was published; the message says which file and what to do."""


@dataclass(frozen=True)
class PublicFile:
    """One file as published, by its name below the cohort's address; what is not known of it is empty."""

    name: str
    size: int | None = None
    sha256: str = ""
    md5: str = ""

    def __post_init__(self) -> None:
        refuse_name(self.name)


@dataclass(frozen=True)
class Listing:
    """Where a cohort says which files it has and what their checksums are, relative to its address.

    `kind` is `sha256sums`, `zenodo`, `s3` or `index` (a web server's own pages, without checksums). `sha256` is the
    digest of the list itself, where it is known here: then every checksum in it is, too.
    """

    kind: str
    address: str
    sha256: str = ""


@dataclass(frozen=True)
class Published:
    """A cohort as its authors published it. `needed` are the files that Ictal reads, as a regular expression.

    Its group `patient` says whose file it is; a file without one is everybody's. `hosts` may be redirected to.
    """

    name: str
    title: str
    accession: str
    address: str
    licence: str
    licence_address: str
    citation: str
    size: str
    listing: Listing
    needed: str
    unverified: str
    hosts: tuple[str, ...] = ()
    login: str = ""
    files: tuple[PublicFile, ...] = ()

    def patient_of(self, name: str) -> str | None:
        """The patient whom a file belongs to; "" for everybody's, None for a file that is not read."""
        match = re.fullmatch(self.needed, name)
        return (match["patient"] or "") if match else None

    def wanted(self, files: Iterable[PublicFile], only: Collection[str] = ()) -> tuple[PublicFile, ...]:
        """The files to fetch, of these patients or of all; refuses patients whom the list does not name."""
        owned = [(f, p) for f in files if (p := self.patient_of(f.name)) is not None]
        strangers = sorted(set(only) - {p for _, p in owned})
        if strangers:
            known = sorted({p for _, p in owned if p})
            raise FetchRefused(
                f"{self.name} has no patient {', '.join(strangers)}: it names {len(known)}, from {known[0]} to {known[-1]}"
                if known
                else f"the list of {self.name} names no recording: give its address with --base-url"
            )
        return tuple(sorted((f for f, p in owned if not only or p in ("", *only)), key=lambda f: f.name))


@dataclass(frozen=True)
class Patient:
    """One row of participants.tsv. `age_years` is None where it is not stated; `more` are further columns."""

    label: str
    age_years: float | None = None
    sex: str = "n/a"
    person: str = ""
    more: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PublishedRecording:
    """One recording in our layout: its name there, its file as published, and what was marked in it.

    `beside` are files taken over as published, by their suffix.
    """

    stem: str
    file: Path
    marks: Annotations
    readings: dict[str, Annotations] = field(default_factory=dict)
    derived: dict[str, Annotations] = field(default_factory=dict)
    sidecar: dict[str, object] = field(default_factory=dict)
    beside: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Conversion:
    """What became of a published cohort. `notes` say what was read otherwise than written.

    `refused` names every recording that was left out, with the reason: one whose marks cannot be trusted has neither
    seizures nor background, and must not pass for one without seizures.
    """

    patients: tuple[Patient, ...]
    recordings: tuple[PublishedRecording, ...]
    source: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def text_of(path: Path) -> str:
    """The text of a published table; refuses (`corrupt`) what is not UTF-8."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise Refusal("corrupt", f"{path.name} is not UTF-8 text: fetch it again") from None


def refuse_name(name: str) -> None:
    """FetchRefused for a listed name that would lie outside the cohort's folder, or that no cohort needs."""
    parts = PurePosixPath(name).parts
    odd = not name or len(name) > 400 or "\\" in name or ":" in name or any(ord(c) < 32 or ord(c) == 127 for c in name)
    if odd or name != "/".join(parts) or name.startswith("/") or any(p.startswith(".") for p in parts):
        raise FetchRefused(
            "the list of files names one that lies outside the cohort's folder: do not trust this address"
        )
