"""The life of a model, from draft to retirement, in steps of which none can be skipped or taken back."""

from dataclasses import dataclass

from lineage.refused import Refused

STATES = ("draft", "validated", "evaluated", "reviewed", "approved", "deployed", "retired")


class StepSkipped(Refused):
    """A step that does not follow the present state."""


@dataclass(frozen=True)
class Lifecycle:
    """Where a model stands. A model that fails on its way stays where it is; its successor begins as a draft."""

    state: str = STATES[0]

    def __post_init__(self) -> None:
        if self.state not in STATES:
            raise ValueError(f"unknown state {self.state!r}, expected one of {', '.join(STATES)}")

    @property
    def history(self) -> tuple[str, ...]:
        """Every state that a model in this state has been through."""
        return STATES[: STATES.index(self.state) + 1]

    def advance(self, to: str) -> "Lifecycle":
        """The next state, and only that one."""
        following = STATES[len(self.history) : len(self.history) + 1]
        if (to,) != following:
            allowed = following[0] if following else "nothing"
            raise StepSkipped(f"after {self.state} comes {allowed}, not {to}")
        return Lifecycle(to)
