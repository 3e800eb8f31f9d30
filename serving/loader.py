"""Which model may answer for a site now: signed, approved by two people, in scope, in time, not revoked; or none."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from data.frontend import Prepared
from data.montage import ELECTRODES
from data.recording import Recording, Segment
from data.settings import read_yaml
from lineage.approvals import NotApproved
from lineage.keys import platform_public_paths
from lineage.people import PEOPLE
from lineage.signing import SignatureInvalid, verify_bundle
from models.analysis import analyse, assess
from models.bundle import BrokenBundle, Bundle, NonReportable, refuse_leaky
from models.engines import ONNX_RUNTIME
from models.typing import TypingBundle, load_model
from serving.schema import ModelStatement
from serving.store import PLACES, NotInForce, import_bundle, named_approval, pointer_path, stored_bundle, write_pointer
from serving.terms import Terms, revocations_folder

__all__ = ["Loaded", "Loader", "NoApprovedModel", "import_bundle", "revocations_folder", "why_no_more", "write_pointer"]

POLL_S = 1.0
JUDGED = timedelta(seconds=1)
SITES = 256
SELF_TEST_S = 60.0


class NoApprovedModel(Exception):
    """No model may answer; `reason` says why, for the site to read."""

    def __init__(self, reason: str):
        super().__init__(f"no approved model: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Loaded:
    """A model in memory, its signed card, and the terms on which it may answer."""

    bundle: Bundle | TypingBundle
    card: str
    terms: Terms

    @property
    def detection(self) -> Bundle:
        """The bundle of a detector that finds seizures; not to be asked for of one that names stretches."""
        assert isinstance(self.bundle, Bundle)
        return self.bundle

    @property
    def engine(self) -> str:
        """What runs the model: ONNX Runtime where its bundle holds its networks so, the reference otherwise."""
        return self.bundle.detector.engine

    @cached_property
    def statement(self) -> ModelStatement:
        """Which model answered, as every answer states it."""
        return ModelStatement(
            name=self.bundle.name,
            title=self.facts["title"],
            digest=self.bundle.digest,
            front_end=self.bundle.front_end.digest,
            approval=self.terms.approval.record.digest,
            intended_use=self.facts["intended_use"],
        )

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the card states in its header: title, intended use, ages, montage."""
        stated: dict[str, Any] = read_yaml(self.card.split("---")[1])
        return stated


class ForSites(Protocol):
    """Knows which model may answer a site for one task."""

    @property
    def home(self) -> Path:
        """The workspace."""

    @property
    def task(self) -> str:
        """The question that its models answer."""

    @property
    def allow_demo(self) -> bool:
        """Whether demo signers count, in a demo workspace."""

    def for_site(self, site: str, now: datetime) -> Loaded:
        """The model that may answer for this site at `now`; NoApprovedModel says why none may."""


def why_no_more(loaded: Loaded, loader: ForSites, site: str, now: datetime) -> str:
    """Why a model that has begun an answer may not give it any more; empty where it may.

    One in whose place another was put may, for as long as its own terms hold.
    """
    try:
        if loader.for_site(site, now).bundle.digest != loaded.bundle.digest:
            loaded.terms.anew(loader.home).check(site, now, loader.allow_demo)
    except (NoApprovedModel, NotApproved, NotInForce) as error:
        return error.reason
    return ""


@dataclass(frozen=True)
class _State:
    """What the files of the workspace gave when they were last read; `stamps` tell whether they have changed."""

    stamps: tuple[Any, ...]
    loaded: Loaded | None
    reason: str = ""
    detail: str = ""


class Loader:
    """Keeps the model in force (or on trial, in another `place`) in memory; looks for changes once a second, and fails closed.

    Approval, scope, expiry and revocation are checked for every answer; signatures of files whenever they change.
    `allow_demo` accepts demo signers, in demo workspaces only. `on_change` is told of every new model, and of every
    refusal in more detail than sites are. May be used from several threads.
    """

    def __init__(
        self,
        home: Path,
        task: str = "detection",
        *,
        place: str = PLACES[0],
        allow_demo: bool = False,
        on_change: Callable[[Loaded | None, str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.home, self.task, self.place, self.allow_demo = home, task, place, allow_demo
        self._on_change = on_change
        self._clock = clock
        self._lock = threading.Lock()
        self._state = _State((), None, "nothing has been loaded yet")
        self._looked_s = float("-inf")
        self._judged: dict[str, tuple[_State, datetime]] = {}

    def for_site(self, site: str, now: datetime, patience_s: float = POLL_S) -> Loaded:
        """The model that may answer for this site at `now`; NoApprovedModel says why none may.

        Files are looked at where that was `patience_s` (seconds) ago. A judgement on the same files holds for a second:
        to verify two signatures takes longer than many an answer.
        """
        state = self._current(now, patience_s)
        if state.loaded is None:
            raise NoApprovedModel(state.reason)
        judged, at = self._judged.get(site, (None, now))
        if judged is not state or abs(now - at) >= JUDGED:
            self._judge(state.loaded.terms, site, now)
            self._judged = {**({} if len(self._judged) >= SITES else self._judged), site: (state, now)}
        return state.loaded

    @property
    def loaded(self) -> Loaded | None:
        """The model that was found when files were last looked at, for whichever site."""
        return self._state.loaded

    def _judge(self, terms: Terms, site: str, now: datetime) -> None:
        try:
            terms.check(site, now, self.allow_demo)
        except NotApproved as error:
            raise NoApprovedModel(error.reason) from error

    def why_not(self, now: datetime) -> str | None:
        """Why no site at all can be served; None where at least the first site of the scope can."""
        state = self._current(now)
        if state.loaded is None:
            return state.reason
        try:
            self._check_anywhere(state.loaded.terms, now)
        except NotApproved as error:
            return error.reason
        return None

    def _current(self, now: datetime, patience_s: float = POLL_S) -> _State:
        """Who is patient goes on with what is known while somebody else loads a new model."""
        if self._clock() - self._looked_s >= patience_s:
            with self._lock:
                if self._clock() - self._looked_s >= patience_s:
                    self._look(now)
                    self._looked_s = self._clock()
        return self._state

    def _look(self, now: datetime) -> None:
        stamps = self._stamps()
        if stamps == self._state.stamps and self._state.loaded is not None:
            return
        try:
            new = _State(stamps, self._load(now))
        except (NotInForce, NotApproved) as error:
            new = _State(stamps, None, error.reason)
        except SignatureInvalid as error:
            new = _State(stamps, None, "the model in force is not as the platform signed it", error.reason)
        except (BrokenBundle, NonReportable) as error:
            new = _State(stamps, None, "the model in force cannot be run by this service", str(error))
        except Exception as error:  # whatever is wrong with the files: then no model is approved
            new = _State(stamps, None, f"the model in force could not be loaded ({type(error).__name__})")
        changed = (new.loaded, new.reason) != (self._state.loaded, self._state.reason)
        self._state = new
        if changed and self._on_change:
            self._on_change(new.loaded, new.detail or new.reason)

    def _load(self, now: datetime) -> Loaded:
        """Nothing of a bundle is read before its approval was found to be in force and its signature to hold."""
        terms = Terms.read(self.home, self.task, self.place)
        self._check_anywhere(terms, now)
        bundle, card = self._bundle(terms)
        if not terms.approval.record.scope.covers_montage(bundle.detector.contract.montage):
            raise NotInForce("the approval does not cover the montage that the model reads")
        return Loaded(bundle, card, terms)

    def _check_anywhere(self, terms: Terms, now: datetime) -> None:
        terms.check(terms.any_site, now, self.allow_demo)

    def _bundle(self, terms: Terms) -> tuple[Bundle | TypingBundle, str]:
        """Read from the store anew, even where only the approval changed: a stored copy may have changed as well."""
        pointer = terms.pointer
        folder = stored_bundle(self.home, pointer.tag)
        verify_bundle(folder, *terms.platform_keys)
        bundle = load_model(folder, ONNX_RUNTIME)
        if bundle.detector.task != self.task:
            raise NotInForce(f"the pointer names a model for {bundle.detector.task}, asked for is {self.task}")
        if bundle.digest != pointer.bundle:
            raise NotInForce("the store holds another bundle under the tag that is in force")
        refuse_leaky(bundle)
        if not (_tried_out(bundle) if isinstance(bundle, Bundle) else bundle.probe.holds(bundle.detector)):
            raise NotInForce("the model in force failed its self-test")
        return bundle, (folder / "card.md").read_text()

    def _stamps(self) -> tuple[Any, ...]:
        """Path, time, size and inode of every file that decides; any change of them is looked into."""
        keys = self.home / "keys"
        pointer = pointer_path(self.home, self.task, self.place)
        paths = [pointer, named_approval(self.home, self.task, self.place), keys / PEOPLE]
        paths += [*platform_public_paths(keys), *sorted(revocations_folder(self.home).glob("*.json"))]
        return tuple(_stamp(path) for path in paths)


def _stamp(path: Path) -> tuple[Any, ...]:
    try:
        found = path.stat()
    except OSError:
        return (path, None)
    return (path, found.st_mtime_ns, found.st_size, found.st_ino)


def _tried_out(bundle: Bundle) -> bool:
    """A new model has to give probabilities for a minute of mixed waves before it is let near a patient, and reasons if it
    gives any: what explains events is imported here, not while somebody waits for the first answer with one.

    Waves are no EEG: that they are refused as `ood` is no fault, what the detector makes of them is looked at anyway.
    """
    contract = bundle.detector.contract
    rate_hz, seconds = 256.0, max(SELF_TEST_S, contract.min_duration_s)
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    waves = [30 * np.sin(2 * np.pi * (1 + k / 3) * t) + 10 * np.sin(2 * np.pi * (7 + k / 2) * t) for k in range(19)]
    segment = Segment(0.0, np.array(waves, dtype=np.float32))
    recording = Recording(ELECTRODES, rate_hz, (segment,), seconds, age_days=float(np.mean(contract.age_days)))
    analysis = analyse(recording, bundle)
    prepared = bundle.front_end.prepare(recording)
    raw = assess(prepared, bundle)
    seen = raw[~np.isnan(raw)]
    ended = analysis.outcome in ("completed", "completed_with_abstentions") or analysis.code == "ood"
    return bool(ended and len(seen) and seen.min() >= 0 and seen.max() <= 1 and _is_explained(bundle, prepared))


def _is_explained(bundle: Bundle, prepared: Prepared) -> bool:
    """Whether the first window of a recording has finite shares; a detector that does not explain itself need not."""
    detector: Any = bundle.detector
    explains = hasattr(detector, "shares")
    return not explains or bool(np.isfinite(detector.shares(detector.examples(prepared).x[:1])).all())
