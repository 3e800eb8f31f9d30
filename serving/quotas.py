"""How much each site may ask for, so that one leaves room for the others, and how often anybody may try a wrong key."""

import asyncio
import hashlib
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from serving.problems import ProblemError

MOST_PEERS = 10_000
"""Addresses, and accepted keys, that are remembered at once."""

Clock = Callable[[], float]


@dataclass(frozen=True)
class Quotas:
    """Of one site: `per_s` requests a second, `burst` at once after a rest; `at_once` being served, with at most
    `bytes_in_flight` of bodies that are not answered yet, and as many connections for streams. Windows, a millisecond's work
    each, have `windows_at_once` places of their own and may come as often as they like. `kept` of these places a site has
    whatever the others hold.

    After `wrong_keys` within `wrong_for_s` a peer address may use no key for `locked_for_s` but those that were right
    before: a stranger behind the same proxy as a site does not lock it out. Keys that are being looked at count as wrong
    ones until they are known, since looking takes time that all sites share.
    """

    per_s: float = 50.0
    burst: int = 500
    at_once: int = 16
    windows_at_once: int = 32
    kept: int = 8
    bytes_in_flight: int = 4 * 2**30
    wrong_keys: int = 30
    wrong_for_s: float = 60.0
    locked_for_s: float = 60.0


class Rate:
    """A token bucket for each site."""

    def __init__(self, quotas: Quotas, clock: Clock = time.monotonic):
        self.quotas, self.clock = quotas, clock
        self._left: dict[str, tuple[float, float]] = {}  # tokens, and when

    def take(self, site: str) -> None:
        """Count one request; raises ProblemError 429 where the site has made too many, with the seconds to wait in
        Retry-After. In the event loop alone."""
        per_s, burst, now = self.quotas.per_s, self.quotas.burst, self.clock()
        left, at = self._left.get(site, (float(burst), now))
        left = min(burst, left + (now - at) * per_s)
        if left < 1:
            detail = f"this site may ask {per_s:g} times a second, {burst} times at once: try again"
            raise _too_many(detail, (1 - left) / per_s)
        self._left[site] = left - 1, now


class InFlight:
    """What of each site is being served: requests, windows and connections for streams, each counted for itself."""

    def __init__(self, quotas: Quotas):
        self.quotas = quotas
        self._most = {"requests": quotas.at_once, "windows": quotas.windows_at_once, "streams": quotas.at_once}
        self._held = {kind: Counter[str]() for kind in self._most}
        self._bytes = Counter[str]()

    def has_kept(self, site: str) -> bool:
        """Whether a site holds as many places as are kept for it."""
        return self._held["requests"][site] + self._held["windows"][site] >= self.quotas.kept

    @contextmanager
    def request(self, site: str, announced: int, kind: str = "requests") -> Iterator[Callable[[int], None]]:
        """Count a request with a body of `announced` bytes; gives a function that is told how many arrived so far.

        Both raise ProblemError 429 where that is more than the site may have in flight.
        """
        held, most = self._held[kind], self._most[kind]
        if held[site] >= most:
            raise _too_many(f"{most} {kind} of this site are being served: try again", 2)
        counted = 0

        def count(arrived: int) -> None:
            nonlocal counted
            more = max(0, arrived - counted)
            if self._bytes[site] + more > self.quotas.bytes_in_flight:
                most = self.quotas.bytes_in_flight
                raise _too_many(f"uploads of this site hold {most} bytes already: send one after another", 10)
            self._bytes[site] += more
            counted += more

        held[site] += 1
        try:
            count(announced)
            yield count
        finally:
            held[site] -= 1
            self._bytes[site] -= counted
            for counter in (held, self._bytes):
                if not counter[site]:
                    del counter[site]


class LockOut:
    """Stops looking at the keys of a peer that has sent many wrong ones."""

    def __init__(self, quotas: Quotas, clock: Clock = time.monotonic):
        self.quotas, self.clock = quotas, clock
        self._wrong: dict[str, list[float]] = {}
        self._right: set[bytes] = set()
        self._looked_at = Counter[str]()
        self._turns = WeakValueDictionary[bytes, asyncio.Lock]()

    @asynccontextmanager
    async def looking(self, peer: str, key: str) -> AsyncIterator[None]:
        """While a key is looked at, once at a time unless it was right before; ProblemError 429 as `check`."""
        if _name(key) in self._right:
            yield
            return
        turn = self._turns.setdefault(_name(key), asyncio.Lock())
        async with turn:
            self.check(peer, key)
            self._looked_at[peer] += 1
            try:
                yield
            finally:
                self._looked_at[peer] -= 1
                if not self._looked_at[peer]:
                    del self._looked_at[peer]

    def check(self, peer: str, key: str) -> None:
        """Raises ProblemError 429 where the key was not right before and the peer is locked out, or would be if all of
        its keys that are being looked at were wrong."""
        if _name(key) in self._right:
            return
        wrong, most, now = self._wrong.get(peer, []), self.quotas.wrong_keys, self.clock()
        if len(wrong) >= most:
            left_s = wrong[-1] + self.quotas.locked_for_s - now
            if left_s > 0:
                raise _too_many("too many wrong keys came from this address: wait, then use the right one", left_s)
            del self._wrong[peer]
        if len(self._recent(peer, now)) + self._looked_at[peer] >= most:
            raise _too_many("too many keys of this address are being looked at: try again", 1)

    def right(self, key: str) -> None:
        """Remember that this key was right once; a digest of it is kept, for as long as there is room."""
        if len(self._right) >= MOST_PEERS:
            self._right.clear()
        self._right.add(_name(key))

    def wrong(self, peer: str, key: str) -> None:
        """Count a wrong key against its peer; a key that was right before is so no longer."""
        self._right.discard(_name(key))
        now = self.clock()
        if len(self._wrong) >= MOST_PEERS and peer not in self._wrong:
            self._wrong.pop(next(iter(self._wrong)))
        self._wrong[peer] = [*self._recent(peer, now), now][-self.quotas.wrong_keys :]

    def _recent(self, peer: str, now: float) -> list[float]:
        return [at for at in self._wrong.get(peer, ()) if now - at < self.quotas.wrong_for_s]


def _too_many(detail: str, wait_s: float) -> ProblemError:
    return ProblemError(429, detail, {"Retry-After": str(max(1, math.ceil(wait_s)))})


def _name(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
