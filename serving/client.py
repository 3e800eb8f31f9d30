"""The service as seen from a site: send a recording, get the answer, or one clear sentence why not."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np

from data.film import why_no_views
from lineage.digest import sha256_file
from lineage.refused import Refused

TIMEOUT_S = 150.0
AGAIN = (0, 429, 502, 503, 504)
"""Answers after which it is worth asking again how far a job is; 0 is none at all."""
PARTS = ("recording", "second_view")
"""Form fields of the files of a recording."""
NO_ASCII = "a key, names of channels and an age are plain ASCII: copy the key once more, or rename the channel"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class ServiceRefused(Refused):
    """The service did not answer; `status` is the HTTP status (0 where it could not be reached, or was not asked)."""

    def __init__(self, status: int, detail: str, instance: str = ""):
        named = f" ({instance})" if instance else ""
        super().__init__(f"the service refused ({status}): {detail}{named}" if status else detail)
        self.status, self.detail, self.instance = status, detail, instance


def check_rows(signal: np.ndarray, channels: int) -> None:
    """Refuse (ServiceRefused) a signal that is not (channels, samples): sent as numbers one after another, samples would be
    read as of other channels and times."""
    if signal.ndim != 2 or len(signal) != channels:
        raise ServiceRefused(
            0,
            f"samples are (channels, samples) with a row for each channel that was named ({channels}), got {signal.shape}",
        )


class Client:
    """Talks to the service at `url` with a site's key. Use as a context, or close it.

    Whatever is asked raises ServiceRefused where there is no answer, and OSError for a file that cannot be read.
    `timeout_s` is how many seconds each step of a request (connect, send, receive) may take.
    """

    def __init__(self, url: str, key: str = "", *, timeout_s: float = TIMEOUT_S):
        if not key.isascii():
            raise ServiceRefused(0, NO_ASCII)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # What stays on this machine never goes through a proxy.
        leaves = urlsplit(url).hostname not in LOOPBACK
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, trust_env=leaves)

    def detect(self, path: Path, age: str | None = None) -> dict[str, Any]:
        """The answer to a recording file; `age` at recording as 3d, 2w, 5mo or 34y, None for the dates in the file. The
        file's name is not sent: it may name a person.
        """
        with _uploads([path]) as named:
            return self._asked("POST", "/v1/detect", files=named, data=_fields([path], age))

    def name(
        self, question: str, files: Sequence[Path], age: str | None = None, marked: tuple[float, float] | None = None
    ) -> dict[str, Any]:
        """What a stretch of a recording is: `question` is typing, spasms, semiology or forecasting.

        `files` is one recording, or the two views of a film; `marked` the stretch's (onset_s, duration_s), the whole
        recording unless given; `age` as of `detect`. File names are not sent.
        """
        with _uploads(files) as named:
            return self._asked("POST", f"/v1/{question}", files=named, data=_fields(files, age, marked))

    def submit(
        self,
        *files: Path,
        question: str = "detection",
        age: str | None = None,
        marked: tuple[float, float] | None = None,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """Leave a recording (a film may have two views) as a job; returns its state with `job_id`.

        `question` is detection, typing, spasms, semiology or forecasting. Sent again with the same `idempotency_key` (one
        is made up unless given), it is the same job, unless that ended as `failed_retryable`; with another recording
        ServiceRefused has the status 409.
        """
        headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        with _uploads(files) as named:
            fields = _fields(files, age, marked) | {"question": question}
            return self._asked("POST", "/v1/jobs", files=named, data=fields, headers=headers)

    def job(self, job_id: str) -> dict[str, Any]:
        """How far a job is; `result` is the answer once `state` is done."""
        return self._asked("GET", f"/v1/jobs/{job_id}")

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Call a job off; where it runs it ends a little later."""
        return self._asked("DELETE", f"/v1/jobs/{job_id}")

    def wait(
        self, job_id: str, told: Callable[[dict[str, Any]], None] = lambda state: None, *, every_s: float = 1.0
    ) -> dict[str, Any]:
        """The answer of a job, once it is done; `told` hears its state each time that it is asked for.

        It is asked for every `every_s` seconds, without end; a service that is away meanwhile is waited for. Raises
        ServiceRefused where the job failed or was cancelled.
        """
        while True:
            try:
                state = self.job(job_id)
            except ServiceRefused as refused:
                if refused.status not in AGAIN:
                    raise
            else:
                told(state)
                if state["state"] == "done":
                    answer: dict[str, Any] = state["result"]
                    return answer
                if state["state"] in ("failed", "cancelled"):
                    raise ServiceRefused(
                        0, f"the job {job_id} is {state['state']}: {state['reason'] or 'as was asked'}"
                    )
            time.sleep(every_s)

    def prediction(self, prediction_id: str) -> dict[str, Any]:
        """An answer that was given before."""
        return self._asked("GET", f"/v1/predictions/{prediction_id}")

    def prediction_as(self, form: str, prediction_id: str) -> bytes:
        """An answer that was given before as `fhir`, `tsv` or `edf`."""
        return self._response("GET", f"/v1/predictions/{prediction_id}", params={"format": form}).content

    def receipt(self, prediction_id: str) -> dict[str, Any]:
        """Proof that an answer stands in the ledger, under the head that it has now."""
        return self._asked("GET", f"/v1/predictions/{prediction_id}/receipt")

    def verdict(self, prediction_id: str, verdict: str, reader: str, **content: Any) -> dict[str, Any]:
        """Say what a reader makes of an answer: `confirm`, `reject`, or `edit` with `events` (or `stretches`)."""
        body = {"verdict": verdict, "reader": reader, **content}
        return self._asked("POST", f"/v1/predictions/{prediction_id}/verdict", json=body)

    def verdicts(self, prediction_id: str) -> list[dict[str, Any]]:
        """What readers of this site made of an answer, the first verdict first."""
        found: list[dict[str, Any]] = self._asked("GET", f"/v1/predictions/{prediction_id}/verdict")["verdicts"]
        return found

    def windows(
        self, signal: np.ndarray, channels: Sequence[str], rate_hz: float, age: str | None = None
    ) -> dict[str, Any]:
        """The probability of each window of a gapless stretch of at most a minute: `signal` (channels, samples) in µV, a
        row for each of `channels`, `age` as of `detect`."""
        check_rows(signal, len(channels))
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
        """Close its connections; may be called twice."""
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _asked(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        response = self._response(method, path, **what)
        try:
            found: dict[str, Any] = response.json()
        except ValueError:
            raise _refusal(response) from None
        return found

    def _response(self, method: str, path: str, **what: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **what)
        except UnicodeEncodeError:
            raise ServiceRefused(0, NO_ASCII) from None
        except httpx.TransportError as error:
            raise ServiceRefused(
                0, f"the service cannot be reached ({type(error).__name__}): is it running?"
            ) from error
        if response.is_success:
            return response
        raise _refusal(response)


@contextmanager
def _uploads(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """The files of one recording as fields of a form, without their names."""
    if not 1 <= len(files) <= len(PARTS):
        raise ServiceRefused(
            0, f"a recording is one file, or the two views of a film, got {len(files)} files: send each for itself"
        )
    if apart := why_no_views(files):
        raise ServiceRefused(0, apart)
    with ExitStack() as stack:
        opened = [stack.enter_context(open(file, "rb")) for file in files]
        parts = zip(PARTS[: len(files)], opened, strict=True)
        yield {field: (field, file, "application/octet-stream") for field, file in parts}


def _fields(files: Sequence[Path], age: str | None, marked: tuple[float, float] | None = None) -> dict[str, str]:
    fields = {"sha256": sha256_file(files[0])} | ({"age": age} if age else {})
    return fields | ({"onset_s": repr(marked[0]), "duration_s": repr(marked[1])} if marked else {})


def _refusal(response: httpx.Response) -> ServiceRefused:
    try:
        problem = response.json()
        return ServiceRefused(response.status_code, str(problem["detail"]), str(problem.get("instance", "")))
    except (ValueError, KeyError, TypeError):
        return ServiceRefused(response.status_code, "the answer is not this service's: check the address")
