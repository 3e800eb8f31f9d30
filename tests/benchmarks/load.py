"""Clients in a closed loop: each sends its next request when it has the answer to the last."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Load:
    """What a server did: seconds of each request (in the order in which they ended), of all of them, and the last body;
    `cpu_s` is what its process took meanwhile, where that was asked for."""

    latencies_s: tuple[float, ...]
    seconds: float
    body: bytes
    cpu_s: float = 0.0

    def quantile(self, share: float) -> float:
        return float(np.quantile(self.latencies_s, share))


class Refused(Exception):
    """A server gave something else than 200."""


def closed_loop(port: int, request: bytes, clients: int, requests: int, pid: int | None = None) -> Load:
    """`requests` in all, over one connection for each client; `pid` is the server's process, where its own time counts."""
    before_s = cpu_s(pid)
    load = asyncio.run(_run(port, request, clients, requests))
    return replace(load, cpu_s=cpu_s(pid) - before_s)


def cpu_s(pid: int | None) -> float:
    """Processor time that a process and those it has started have taken so far."""
    if pid is None:
        return 0.0
    import psutil

    server = psutil.Process(pid)
    times = [one.cpu_times() for one in (server, *server.children(recursive=True))]
    return float(sum(one.user + one.system for one in times))


async def _run(port: int, request: bytes, clients: int, requests: int) -> Load:
    latencies: list[float] = []
    shares = [requests // clients + (n < requests % clients) for n in range(clients)]
    started = time.perf_counter()
    bodies = await asyncio.gather(*(_client(port, request, share, latencies) for share in shares))
    return Load(tuple(latencies), time.perf_counter() - started, bodies[0])


async def _client(port: int, request: bytes, share: int, latencies: list[float]) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b""
    for _ in range(share):
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_length(head))
        latencies.append(time.perf_counter() - started)
        if not head.startswith(b"HTTP/1.1 200"):
            raise Refused(f"{head.splitlines()[0].decode()}: {body[:300]!r}")
    writer.close()
    return body


def _length(head: bytes) -> int:
    lines: Sequence[bytes] = head.lower().splitlines()
    return int(next(line for line in lines if line.startswith(b"content-length:")).split(b":")[1])
