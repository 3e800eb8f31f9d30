"""What the people who run the service watch: requests, their times, how recordings were answered, which model is in."""

import os
from collections.abc import Mapping

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from serving.limits import WINDOWS
from serving.loader import Loaded
from serving.problems import Exchange
from serving.schema import Answer, Answered

SHARES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)
BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Counters of one service. No site and no recording is named in them, so they may be shown to operators.

    Several workers share their counts only through the folder PROMETHEUS_MULTIPROC_DIR, which has to be set before
    Python starts; without it each worker counts for itself.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter("ictal_requests", "Requests", ["route", "status"], registry=self.registry)
        self._answers = Counter("ictal_answers", "Recordings answered", ["outcome", "code"], registry=self.registry)
        self._seconds = Histogram(
            "ictal_request_seconds", "Time to answer", ["route"], buckets=BUCKETS_S, registry=self.registry
        )
        self._model = Gauge(
            "ictal_model_in_force",
            "1 for the model in force (or on trial), 0 for earlier ones",
            ["task", "place", "name", "digest"],
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self._coverage = Histogram(
            "ictal_coverage", "Share of a recording that was analysed", buckets=SHARES, registry=self.registry
        )
        self._jobs = Gauge(
            "ictal_jobs",
            "Jobs that have not ended",
            ["state"],
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self._oldest = Gauge(
            "ictal_oldest_job_seconds",
            "How long the oldest queued job has waited",
            registry=self.registry,
            multiprocess_mode="mostrecent",
        )
        self._named: set[tuple[str, str, str, str]] = set()
        self._shadow = Counter(
            "ictal_shadow", "Recordings that a shadow was asked about", ["question", "ended"], registry=self.registry
        )

    def observe(self, this: Exchange, route: str, status: int, seconds: float) -> None:
        """Count one request and the `seconds` that it took; of a recording that was answered, how that ended."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if this.outcome and route != WINDOWS:  # windows are no recording
            self._answers.labels(this.outcome, this.code).inc()

    def answered(self, answer: Answered) -> None:
        """Count a recording that was answered outside of any request: as a job, or at the end of a stream."""
        self._answers.labels(answer.outcome, answer.code or "").inc()
        self.looked(answer)

    def looked(self, answer: Answered) -> None:
        """Note in how much of a recording seizures were looked for; other questions have no coverage."""
        if isinstance(answer, Answer):
            self._coverage.observe(answer.coverage)

    def queue(self, waiting: Mapping[str, int], oldest_s: float) -> None:
        """Note how many jobs are in each state that is no end, and how long the oldest queued one has waited."""
        for state in ("queued", "running"):
            self._jobs.labels(state).set(waiting.get(state, 0))
        self._oldest.set(oldest_s)

    def shadow(self, question: str, ended: str) -> None:
        """Note how a shadow ended beside the answer that was given: `agrees`, or the part in which it differs."""
        self._shadow.labels(question, ended).inc()

    def model(self, task: str, place: str, loaded: Loaded | None) -> None:
        """Note which model is in a place now, if any."""
        now = (task, place, loaded.bundle.name, loaded.bundle.digest[:12]) if loaded else None
        if now:
            self._named.add(now)
        for labels in tuple(self._named):  # several loaders tell of theirs
            if labels[:2] == (task, place):
                self._model.labels(*labels).set(float(labels == now))

    def text(self) -> bytes:
        """Everything counted so far in Prometheus' text format."""
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return generate_latest(self.registry)
        from prometheus_client.multiprocess import MultiProcessCollector

        everyone = CollectorRegistry()
        MultiProcessCollector(everyone)
        return generate_latest(everyone)
