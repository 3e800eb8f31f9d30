"""The service as seen from a site: send a recording, get the answer, or one clear sentence why not."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np

from lineage.digest import sha256_file
from lineage.refused import Refused

TIMEOUT_S = 150.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ServiceRefused(Refused):
    """The service did not answer; `status` is the HTTP status (0 where it could not be reached)."""

    def __init__(self, status: int, detail: str, instance: str = ""):
        named = f" ({instance})" if instance else ""
        super().__init__(f"the service refused ({status}): {detail}{named}" if status else detail)
        self.status, self.detail, self.instance = status, detail, instance


class Client:
    """Talks to the service at `url` with a site's key. Use as a context, or close it."""

    def __init__(self, url: str, key: str = "", *, timeout_s: float = TIMEOUT_S):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # What stays on this machine never goes through a proxy.
        leaves = urlsplit(url).hostname not in LOOPBACK
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, trust_env=leaves)

    def detect(self, path: Path, age: str | None = None) -> dict[str, Any]:
        """The answer to a recording file; `age` at recording as in 3d. The file's name is not sent: it may name a person.

        Raises ServiceRefused where there is no answer.
        """
        fields = {"sha256": sha256_file(path)} | ({"age": age} if age else {})
        with open(path, "rb") as file:
            named = {"recording": ("recording.edf", file, "application/octet-stream")}
            return self._asked("POST", "/v1/detect", files=named, data=fields)

    def name(
        self, question: str, files: Sequence[Path], age: str | None = None, marked: tuple[float, float] | None = None
    ) -> dict[str, Any]:
        """What a stretch of a recording is: `question` is typing, spasms, semiology or forecasting.

        `files` is one recording, or the two views of a film; `marked` the stretch's (onset_s, duration_s), the whole
        recording unless given. File names are not sent. Raises ServiceRefused where there is no answer.
        """
        fields = {"sha256": sha256_file(files[0])} | ({"age": age} if age else {})
        if marked:
            fields |= {"onset_s": repr(marked[0]), "duration_s": repr(marked[1])}
        with ExitStack() as stack:
            opened = [stack.enter_context(open(file, "rb")) for file in files]
            parts = zip(("recording", "second_view"), opened, strict=False)
            named = {field: (field, file, "application/octet-stream") for field, file in parts}
            return self._asked("POST", f"/v1/{question}", files=named, data=fields)

    def windows(
        self, signal: np.ndarray, channels: Sequence[str], rate_hz: float, age: str | None = None
    ) -> dict[str, Any]:
        """The probability of each window of a gapless stretch of at most a minute: `signal` (channels, samples) in µV.

        Raises ServiceRefused where there is no answer.
        """
        described = {"X-Channels": ",".join(channels), "X-Rate-Hz": repr(rate_hz)} | ({"X-Age": age} if age else {})
        headers = {"Content-Type": "application/octet-stream", **described}
        samples = np.ascontiguousarray(signal, dtype="<f4").tobytes()
        return self._asked("POST", "/v1/windows", content=samples, headers=headers)

    def models(self) -> dict[str, Any]:
        """The models in force for this site, with cards; `reason` where there is none."""
        return self._asked("GET", "/v1/models")

    def ready(self) -> bool:
        """Whether the service is there and has an approved model for any site."""
        try:
            return self._http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _asked(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, **what)
        except httpx.TransportError as error:
            raise ServiceRefused(
                0, f"the service cannot be reached ({type(error).__name__}): is it running?"
            ) from error
        if response.is_success:
            found: dict[str, Any] = response.json()
            return found
        raise _refusal(response)


def _refusal(response: httpx.Response) -> ServiceRefused:
    try:
        problem = response.json()
        return ServiceRefused(response.status_code, str(problem["detail"]), str(problem.get("instance", "")))
    except (ValueError, KeyError, TypeError):
        return ServiceRefused(response.status_code, "the answer is not this service's: check the address")
