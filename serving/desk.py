"""Behind the counter: model, ledger, keys and counters of one service, and threads for all that takes long."""

import asyncio
import gc
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from lineage.digest import sha256_file
from lineage.entries import Software
from serving.answering import answer, model_card
from serving.auth import SiteKey, VerifiedKeys, open_keys, site_of
from serving.journal import Journal
from serving.limits import Limits
from serving.loader import Loaded, Loader, NoApprovedModel
from serving.metrics import Metrics
from serving.problems import ProblemError, write_line
from serving.schema import Answer, Models

KEY_CHECKS = 4
"""Keys that are hashed at once: each takes 16 MiB for some hundredths of a second."""
LEFTOVER_S = 3600.0
Made = TypeVar("Made")


class Desk:
    """All that the service needs while it runs. Nothing here runs in the event loop, which only passes bytes on."""

    def __init__(
        self, home: Path, allow_demo: bool, limits: Limits, software: Software | None, clock: Callable[[], datetime]
    ):
        self.clock = clock
        self.metrics = Metrics()
        self.loader = Loader(home, allow_demo=allow_demo, on_change=self._changed)
        self.journal = Journal(home, software)
        self.keys, self.verified = open_keys(home), VerifiedKeys()
        self.uploads = home / "jobs" / "uploads"
        self.uploads.mkdir(parents=True, exist_ok=True)
        # An analysis that timed out keeps its thread until it ends, so that never more than `analyses` run.
        self.analyses = ThreadPoolExecutor(limits.analyses, "analysis")
        self.checks = ThreadPoolExecutor(KEY_CHECKS, "key-check")

    async def authenticate(self, key: str) -> SiteKey:
        """Whose key this is; reads the store every time, so that a revoked key ends with the next request."""
        return await self._in(self.checks, site_of, self.keys, key, self.clock(), self.verified)

    async def detect(
        self, upload: BinaryIO, sha256: str | None, age_days: float | None, site: str, key_id: str
    ) -> Answer:
        return await self._in(self.analyses, self._detect, upload, sha256, age_days, site, key_id)

    async def models(self, site: str) -> Models:
        return await self._in(self.checks, self._models, site)

    async def why_not(self) -> str | None:
        return await self._in(self.checks, self.loader.why_not, self.clock())

    def open(self) -> None:
        """Load the model before the first request, and remove what a killed service left of patients' files."""
        for path in self.uploads.iterdir():
            if time.time() - path.stat().st_mtime > LEFTOVER_S:
                path.unlink(missing_ok=True)
        self.loader.why_not(self.clock())

    def close(self) -> None:
        """Wait for the analyses that run, then let go of threads and files."""
        self.analyses.shutdown()
        self.checks.shutdown()
        self.keys.dispose()
        self.journal.ledger.engine.dispose()

    def _detect(self, upload: BinaryIO, sha256: str | None, age_days: float | None, site: str, key_id: str) -> Answer:
        with tempfile.NamedTemporaryFile(dir=self.uploads, suffix=".edf") as kept:
            shutil.copyfileobj(upload, kept, 1 << 20)
            kept.flush()
            path = Path(kept.name)
            if sha256 is not None and sha256_file(path) != sha256.strip().lower():
                raise ProblemError(
                    400, "the file that arrived does not have the SHA-256 that was announced: send again"
                )
            return answer(
                path,
                site=site,
                age_days=age_days,
                loader=self.loader,
                journal=self.journal,
                now=self.clock(),
                key_id=key_id,
            )

    def _models(self, site: str) -> Models:
        try:
            loaded = self.loader.for_site(site, self.clock())
        except NoApprovedModel as error:
            return Models(models=(), reason=error.reason)
        return Models(models=(model_card(loaded),))

    def _changed(self, loaded: Loaded | None, reason: str) -> None:
        self.metrics.model(loaded)
        name, digest = (loaded.bundle.name, loaded.bundle.digest) if loaded else ("", "")
        write_line("model", name=name, digest=digest, reason=reason)
        gc.collect()
        gc.freeze()  # a full collection over torch and the model would stop every request for 0.1–0.2 s

    async def _in(self, pool: ThreadPoolExecutor, act: Callable[..., Made], *arguments: object) -> Made:
        return await asyncio.get_running_loop().run_in_executor(pool, partial(act, *arguments))
