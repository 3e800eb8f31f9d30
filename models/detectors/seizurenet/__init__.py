"""SeizureNet: the type of a seizure from three looks at its spectra, and a small student that learns from them.

Re-implemented from its description (Asif et al. 2020, arXiv 1903.03232); where the paper is silent the choice is ours
and stands in params.yaml and the card.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data.frontend import FrontEnd, Prepared
from data.saliency import MAPS, SpectralSetting
from data.windows import clips_of_seizure
from models.appearance import of_eeg
from models.detector import Cost, Examples, InputContract, Progress, State, TypingDetector
from models.detectors.seizurenet.distillation import Learner, Lesson, lesson_loss
from models.detectors.seizurenet.member import Member, TypeNetwork, mean_log
from models.engines import Network
from models.explain import Attribution, in_parts
from models.layers.dense import DenseNet
from models.layers.residual import ResidualNet
from models.layers.stem import Stem
from models.training import Schedule, figure_by_halves, macro_auc

PART_S = 1.0
BANDS_HZ = {"below 4 Hz": 0.0, "4–8 Hz": 4.0, "8–13 Hz": 8.0, "13–30 Hz": 13.0, "30 Hz and above": 30.0}
"""Bands of frequency in which an explanation is told, by where they begin."""
DISTILLED, PLAIN = "student (distilled)", "student (plain)"


class SeizureNet(TypingDetector):
    """An ensemble of DenseNets with different spectral settings; its answer is the mean of their probabilities.

    Beside it stand its members, a student distilled from it, and the same student taught by the labels alone.
    """

    name, modality = "seizurenet", "eeg"
    classes = ("FNSZ", "GNSZ", "CPSZ", "ABSZ", "TNSZ", "TCSZ", "SPSZ")
    contract = InputContract(montage="tcp_20", age_days=(365, 43830), min_duration_s=10)

    def __init__(self, params: Mapping[str, Any]):
        super().__init__(params)
        self.window_s, self.hop_s = params["window_s"], params["hop_s"]
        self.members = {
            f"member {number} ({m['f_max_hz']:g} Hz, {m['window_s']:g} s)": self._member(m)
            for number, m in enumerate(params["members"], 1)
        }
        self.students = {name: self._student() for name in (DISTILLED, PLAIN)}

    @property
    def front_end(self) -> FrontEnd:
        """Up to 97 Hz, so that a recording of 200 Hz can be read too."""
        return FrontEnd(montage=self.contract.montage, rate_hz=250.0, band_hz=(0.5, 97.0))

    def examples(self, prepared: Prepared, recording: str = "", patient: str = "") -> Examples:
        """The signal itself, (clips, derivations, samples) µV; refuses a seizure without a gapless `shortest_s`."""
        x, onset_s = clips_of_seizure(
            prepared.segments, prepared.rate_hz, self.window_s, self.hop_s, self.params["shortest_s"]
        )
        clips = np.ascontiguousarray(x, dtype=np.float32)
        whose = np.full(len(clips), recording), np.full(len(clips), patient)
        return Examples(clips, onset_s, *whose, self.window_s, seen=of_eeg(clips, prepared.rate_hz))

    def fit(
        self,
        train: Examples,
        valid: Examples,
        *,
        seed: int,
        checkpoint: Path | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Fit the members one by one, then both students from the same weights in the same number of steps.

        While it trains, every network has a checkpoint of its own beside `checkpoint`, which holds all in the end.
        ValueError where labels are missing.
        """
        if train.label is None or valid.label is None:
            raise ValueError("training needs labelled clips")
        if checkpoint and checkpoint.exists():
            return self._read(checkpoint)
        inner = valid.take(np.unique(np.linspace(0, len(valid) - 1, self.params["valid_clips"]).round().astype(int)))
        files = [] if checkpoint is None else [checkpoint.with_suffix(f".{n}.pt") for n in range(len(self._networks))]
        plan = _Plan(train, inner, seed, files, progress, len(self._networks))
        fitted = {name: self._fit_member(number, name, plan) for number, name in enumerate(self.members)}
        parts = {name: log for name, (log, _) in fitted.items()} | self._fit_students(plan)
        reached = macro_auc(self.score(inner), inner.label)  # type: ignore[arg-type]
        chosen = figure_by_halves(_together([said for _, said in fitted.values()]), inner, macro_auc, reached)
        seen = [self.classes[c] for c in np.unique(train.label)]
        whole = {"epochs": 1, "best_epoch": 1, "valid_auc": [reached], "windows": len(train), "inner_auc": chosen}
        log = {**whole, "classes_seen": seen, "parts": parts}
        if checkpoint:
            self._write(checkpoint, log)
        for file in files:
            file.unlink(missing_ok=True)
        return log

    def score(self, examples: Examples) -> np.ndarray:
        """(clips, types) log of the mean over members of their probabilities; about −30 for a type never trained on."""
        if self.sessions:
            members = {name: member for name, member in self._parts.items() if name in self.sessions}
            said = [np.exp(member.ask(examples.x, self.sessions[name])) for name, member in members.items()]
            return mean_log(np.mean(said, axis=0))
        return self._ensemble(examples.x)[1]

    def networks(self) -> dict[str, Network]:
        """Those of the members, which the answer is made of."""
        derivations = len(self.front_end.channels)
        return {
            name: Network(
                member.network,
                (MAPS, derivations, member.setting.bins),
                *(part.numpy() for part in (member.network.mean, member.network.spread)),  # type: ignore[operator]
            )
            for name, member in self._parts.items()
            if name.startswith("member")
        }

    def attributed(self, clip: np.ndarray, name: int) -> Attribution:
        """Of the members together: derivations, bands, and parts of about a second of a clip (derivations, samples)."""
        told = [member.attributed(clip, name) for member in self.members.values()]
        parts = max(1, round(self.window_s / PART_S))
        profile = np.sum([in_parts(along, parts) for _, along in told], axis=0)
        frequency_hz = [np.arange(1, m.setting.bins + 1) / m.setting.window_s for m in self.members.values()]
        bands = np.sum(
            [_by_band(over.sum(axis=0), hz) for (over, _), hz in zip(told, frequency_hz, strict=True)], axis=0
        )
        channels = np.sum([over.sum(axis=1) for over, _ in told], axis=0)
        return Attribution(
            np.maximum(profile, 0),
            dict(zip(self.front_end.channels, np.maximum(channels, 0).tolist(), strict=True)),
            dict(zip(BANDS_HZ, np.maximum(bands, 0).tolist(), strict=True)),
        )

    def variants(self, examples: Examples) -> dict[str, np.ndarray]:
        """Log probabilities (clips, types) of each member and both students, always by the reference."""
        return {name: member.look(examples.x)[1] for name, member in self._networks.items()}

    def scored(self, examples: Examples) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Members look once for both; with `sessions` the answer is theirs, and the members look again."""
        if self.sessions:
            return super().scored(examples)
        parts = self.variants(examples)
        return mean_log(np.mean([np.exp(parts[name]) for name in self.members], axis=0)), parts

    def costs(self, examples: Examples, repeats: int = 3) -> dict[str, Cost]:
        """Of the ensemble, its members and the students: size, and the least time of some passes over these clips."""
        costs = {name: _cost(member, examples.x, repeats) for name, member in self._networks.items()}
        members = [costs[name] for name in self.members]
        whole = Cost(
            sum(c.parameters for c in members),
            sum(c.megabytes for c in members),
            sum(c.ms_per_clip for c in members),
        )
        return {"answer": whole, **costs}

    def state(self) -> State:
        return State(
            {
                f"{part}.{name}": tensor.numpy().copy()
                for part, member in self._parts.items()
                for name, tensor in member.network.state_dict().items()
            },
            {},
        )

    def load_state(self, state: State) -> None:
        for part, member in self._parts.items():
            mine = {k.removeprefix(f"{part}."): v for k, v in state.tensors.items() if k.startswith(f"{part}.")}
            member.network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in mine.items()})

    @property
    def _networks(self) -> dict[str, Member]:
        return {**self.members, **self.students}

    @property
    def _parts(self) -> dict[str, Member]:
        """The networks by the names that their tensors bear."""
        members = {f"member_{number}": member for number, member in enumerate(self.members.values(), 1)}
        return {**members, "student": self.students[DISTILLED], "student_plain": self.students[PLAIN]}

    def _member(self, settings: Mapping[str, Any]) -> Member:
        p, setting = self.params["dense"], _setting(settings)
        trunk = DenseNet(MAPS, p["growth"], p["layers"], p["bottleneck"], Stem(**p["stem"]), p["columns"])
        return Member(setting, TypeNetwork(trunk, len(self.classes), setting.bins), self.front_end.rate_hz)

    def _student(self) -> Member:
        p, setting = self.params["student"], _setting(self.params["student"])
        trunk = ResidualNet(MAPS, p["widths"], Stem(**p["stem"]), p["columns"])
        return Member(setting, TypeNetwork(trunk, len(self.classes), setting.bins), self.front_end.rate_hz)

    def _ensemble(self, clips: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features of all members side by side, and the log of their mean probability."""
        looks = [member.look(clips) for member in self.members.values()]
        features = np.concatenate([features for features, _ in looks], axis=1)
        return features, mean_log(np.mean([np.exp(log) for _, log in looks], axis=0))

    def _fit_member(self, number: int, name: str, plan: "_Plan") -> tuple[dict[str, Any], np.ndarray | None]:
        seed = plan.seed_of(number)
        torch.manual_seed(seed)
        member = self._member(self.params["members"][number])
        self.members[name] = member
        member.prepare(plan.train)
        return member.fit(plan.train, plan.inner, self._schedule(), seed=seed, **plan.of(number))

    def _fit_students(self, plan: "_Plan") -> dict[str, Any]:
        p, number = self.params["distillation"], len(self.members)
        taught = Lesson(p["soft"], p["feature"], p["temperature"])
        teacher = self._ensemble(plan.train.x)
        return {
            DISTILLED: self._fit_student(DISTILLED, taught, teacher, plan, number),
            PLAIN: self._fit_student(PLAIN, Lesson(0, 0, p["temperature"]), teacher, plan, number + 1),
        }

    def _fit_student(
        self, name: str, lesson: Lesson, teacher: tuple[np.ndarray, np.ndarray], plan: "_Plan", number: int
    ) -> dict[str, Any]:
        seed = plan.seed_of(len(self.members))  # one for both: the same first weights, the same draws
        torch.manual_seed(seed)
        student = self._student()
        self.students[name] = student
        student.prepare(plan.train)
        learner = Learner(student.network, teacher[0].shape[1])
        log, _ = student.fit(
            plan.train, plan.inner, self._schedule(stops=False), seed=seed, **plan.of(number),
            loss=lesson_loss(learner, lesson, *teacher), learner=learner,
        )  # fmt: skip
        return log

    def _write(self, checkpoint: Path, log: dict[str, Any]) -> None:
        partial = checkpoint.with_suffix(".partial")
        torch.save({"state": {k: torch.from_numpy(v) for k, v in self.state().tensors.items()}, "log": log}, partial)
        partial.replace(checkpoint)

    def _read(self, checkpoint: Path) -> dict[str, Any]:
        saved = torch.load(checkpoint, weights_only=True)
        self.load_state(State({k: v.numpy() for k, v in saved["state"].items()}, {}))
        log: dict[str, Any] = saved["log"]
        return log

    def _schedule(self, stops: bool = True) -> Schedule:
        p = self.params
        patience = p["patience"] if stops else p["epochs"]
        return Schedule(p["epochs"], p["batch"], p["learning_rate"], patience, p["windows_per_epoch"])


@dataclass(frozen=True)
class _Plan:
    """What the networks of one fit share."""

    train: Examples
    inner: Examples
    seed: int
    checkpoints: list[Path]
    progress: Progress | None
    networks: int

    def seed_of(self, number: int) -> int:
        return int(np.random.default_rng([self.seed, number]).integers(2**31))

    def of(self, number: int) -> dict[str, Any]:
        """The checkpoint of one network, and its progress as a part of the whole."""

        def progress(epoch: int, epochs: int, reached: float) -> None:
            assert self.progress
            self.progress(number * epochs + epoch, self.networks * epochs, reached)

        checkpoint = self.checkpoints[number] if self.checkpoints else None
        return {"checkpoint": checkpoint, "progress": progress if self.progress else None}


def _together(said: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """The answer of members from their log probabilities (clips, types); None where one has none."""
    known = [np.exp(own) for own in said if own is not None]
    return mean_log(np.mean(known, axis=0)) if len(known) == len(said) else None


def _by_band(over: np.ndarray, frequency_hz: np.ndarray) -> np.ndarray:
    """Sums over the bins of each band; (bins,) of a spectrum."""
    which = np.searchsorted(list(BANDS_HZ.values()), frequency_hz, side="right") - 1
    return np.bincount(which, weights=over, minlength=len(BANDS_HZ))


def _setting(settings: Mapping[str, Any]) -> SpectralSetting:
    return SpectralSetting(settings["f_max_hz"], settings["window_s"], settings["overlap"])


def _cost(member: Member, clips: np.ndarray, repeats: int) -> Cost:
    times_s = []
    for _ in range(repeats):
        started = time.process_time()  # of the processor: whoever shares the machine does not count
        member.look(clips)
        times_s.append(time.process_time() - started)
    parameters = sum(p.numel() for p in member.network.parameters())
    size = sum(t.numel() * t.element_size() for t in member.network.state_dict().values())
    return Cost(parameters, size / 1e6, 1000 * min(times_s) / len(clips))


DETECTOR = SeizureNet
