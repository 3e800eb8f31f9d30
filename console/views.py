"""Which part of a recording is looked at and how, as an address says it, and the addresses that lead on from there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException

from console.display import HIGH_PASSES_HZ, LOW_PASSES_HZ, NOTCHES_HZ, Filters, refuse_filters
from console.opened import Opened

SECONDS = (5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
"""How much of a recording a view may show."""
SHOWN_S = 20.0
GAINS_UV = (5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000)
"""Microvolts from one row to the next."""
GAIN_UV = 100.0
PASSES_HZ = {"high": HIGH_PASSES_HZ, "low": LOW_PASSES_HZ, "notch": NOTCHES_HZ}
"""Filters by the name that addresses give them, and what may be chosen."""


@dataclass(frozen=True)
class View:
    """What part of a recording is shown, and how: `montage` by its name in `display.MONTAGES` (empty without an EEG),
    `gain_uv` from one row to the next."""

    start_s: float = 0.0
    seconds: float = SHOWN_S
    montage: str = ""
    gain_uv: float = GAIN_UV
    filters: Filters = field(default_factory=Filters)

    @property
    def end_s(self) -> float:
        """Where the view ends, in seconds of the recording; may lie behind the recording's end."""
        return self.start_s + self.seconds

    def query(self, **changed: Any) -> str:
        """The address of a view, behind the recording's own."""
        view = replace(self, **changed)
        filters = {f"{name}": f"{value or 0:g}" for name, value in named(view.filters).items()}
        start = f"{view.start_s:.6f}".rstrip("0").rstrip(".")  # days into a recording too, and no coarser than events
        shown = {"start": start, "seconds": f"{view.seconds:g}", "gain": f"{view.gain_uv:g}"}
        return "?" + urlencode({**shown, "montage": view.montage, **filters})


def view_asked(asked: Mapping[str, str], opened: Opened) -> View:
    """The view that an address asks for, within the recording; raises HTTPException 400 where it means nothing. What is
    not asked for is as `View` has it."""
    montage = asked.get("montage") or next(iter(opened.montages), "")
    if montage and montage not in opened.montages:
        raise HTTPException(400, "This montage cannot be made of the recording's channels.")
    seconds = min(max(_number(asked, "seconds") or SHOWN_S, 1.0), float(SECONDS[-1]))
    start = min(_number(asked, "start") or 0.0, max(0.0, opened.duration_s - seconds))
    return View(start, seconds, montage, max(_number(asked, "gain") or GAIN_UV, 1.0), _filters(asked, opened))


def _filters(asked: Mapping[str, str], opened: Opened) -> Filters:
    """Those that are asked for, of those that are offered; 0 is none."""
    rate_hz = opened.spans.rate_hz if opened.spans else 1e9
    lows = [hz for hz in LOW_PASSES_HZ if hz < rate_hz / 2 and hz <= (Filters().low_hz or 0)]
    chosen = named(Filters(low_hz=lows[-1] if lows else None))
    for name, offered in PASSES_HZ.items():
        value = _number(asked, name)
        if value is not None and value not in (0, *offered):
            choices = ", ".join(f"{hz:g}" for hz in offered)
            raise HTTPException(400, f"{name.capitalize()} is 0 for none, or one of {choices} Hz.")
        chosen[name] = chosen[name] if value is None else value or None
    filters = Filters(*(chosen[name] for name in PASSES_HZ))
    try:
        refuse_filters(filters, rate_hz)
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
    return filters


def _number(asked: Mapping[str, str], name: str) -> float | None:
    text = asked.get(name, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < 1e9:
        raise HTTPException(400, f"{name.capitalize()} is a number from 0 on.")
    return value


def named(filters: Filters) -> dict[str, float | None]:
    """The filters as addresses name them."""
    return {"high": filters.high_hz, "low": filters.low_hz, "notch": filters.notch_hz}


@dataclass(frozen=True)
class Step:
    """One thing to press: what the script calls it, how it reads, its key, and the address that does the same."""

    act: str
    text: str
    key: str
    address: str


def steps(opened: Opened, view: View) -> list[Step]:
    """The view moved, widened, narrowed and led to the next event, as addresses."""
    last = max(0.0, opened.duration_s - view.seconds)
    onsets = sorted({s.onset_s for r in opened.recorded.readings for s in r.stretches})
    before = [at for at in onsets if at < view.start_s + view.seconds / 4 - 1e-6]
    after = [at for at in onsets if at > view.start_s + view.seconds / 4 + 1e-6]

    def at(start_s: float) -> str:
        return view.query(start_s=min(max(start_s, 0.0), last))

    def beside(values: Sequence[int], now: float, way: int) -> float:
        others = [v for v in values if (v - now) * way > 1e-9]
        return float(min(others, key=lambda v: abs(v - now))) if others else now

    return [
        Step("earlier", "Earlier", "←", at(view.start_s - view.seconds)),
        Step("later", "Later", "→", at(view.start_s + view.seconds)),
        Step("previous", "Previous event", "p", at((before[-1] if before else 0.0) - view.seconds / 4)),
        Step("next", "Next event", "n", at((after[0] if after else last) - view.seconds / 4)),
        Step("narrower", "Shorter", "[", view.query(seconds=beside(SECONDS, view.seconds, -1))),
        Step("wider", "Longer", "]", view.query(seconds=beside(SECONDS, view.seconds, 1))),
        Step("louder", "Larger", "+", view.query(gain_uv=beside(GAINS_UV, view.gain_uv, -1))),
        Step("softer", "Smaller", "−", view.query(gain_uv=beside(GAINS_UV, view.gain_uv, 1))),
    ]
