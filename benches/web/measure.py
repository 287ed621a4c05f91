"""Starts the servers, checks each, measures them in turn, and prints one table.

What it takes, `run` makes: see there.
"""

import argparse
import http.client
import json
import os
import platform
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
CORES = os.sched_getaffinity(0)
CONNECTIONS = 32
BAR = 0.95
LAYER = "tower-jwt-auth"
IDENTITY = "a layer that does nothing"
BODY = b'{"sub":"ada","name":"Ada Lovelace","email":"ada@example.com"}'
BAD = ["signature", "expired", "issuer", "audience"]


class Failure(Exception):
    """What is said to the user in place of a trace."""


@dataclass
class Result:
    rate: float  # requests per second
    p50: float  # ms
    p99: float  # ms
    cpu: float  # of the server, µs per request
    server_busy: float  # share of a core
    loader_busy: float  # share of a core


@dataclass
class Row:
    """A server in a process of its own, and what it is asked."""

    server: str
    command: list[str]
    what: str
    path: str = "/me"
    env: dict[str, str] = field(default_factory=dict)
    tokens: str = "rs256"
    is_open: bool = False
    same_body: bool = True
    port: int = 0
    process: subprocess.Popen | None = None
    log: Path | None = None
    results: list[Result] = field(default_factory=list)

    @property
    def label(self) -> str:
        return f"{self.server}, {self.what}"


def rows(options: argparse.Namespace) -> list[Row]:
    count = str(len((options.folder / "many").read_text().split()))
    binaries = options.bin.resolve()
    axum = ["axum", [str(binaries / "axum_server")]]
    example = ["resource_server", [str(binaries / "resource_server")]]
    uvicorn = [sys.executable, "-m", "uvicorn", "fastapi_server:app", "--port", "{port}"]
    uvicorn += ["--loop", "uvloop", "--http", "httptools"]
    fastapi = ["FastAPI", [*uvicorn, "--log-level", "warning", "--no-access-log"]]
    rs256, hs256 = {"ALGORITHM": "RS256"}, {"ALGORITHM": "HS256"}
    fastify = ["fastify", ["node", "fastify_server.mjs"]]
    jose = "python-jose"
    # What is compared stands side by side, and so is measured at nearly the same time.
    return [
        Row(*axum, "unprotected", "/open", is_open=True),
        Row(*axum, IDENTITY, "/identity", is_open=True),
        Row(*axum, LAYER),
        Row(*axum, f"unprotected, {count} tokens", "/open", tokens="many", is_open=True),
        Row(*axum, f"{LAYER}, {count} tokens", tokens="many"),
        Row(*example, "the example", same_body=False),
        Row(*fastapi, "unprotected", "/open", env=rs256, is_open=True),
        Row(*fastapi, f"{jose}, RS256", "/users/me/", env=rs256),
        Row(*fastapi, f"{jose}, HS256", "/users/me/", env=hs256, tokens="hs256"),
        Row(*fastify, "unprotected", "/open", is_open=True),
        Row(*fastify, "@fastify/jwt"),
        Row(*fastify, "@fastify/jwt, cache", env={"CACHE": "1000"}),
        Row(*fastify, f"@fastify/jwt, cache, {count} tokens", env={"CACHE": count}, tokens="many"),
    ]


def main() -> None:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    all_rows = rows(options)
    try:
        core = pin()
        for index, row in enumerate(all_rows):
            row.log = options.folder / f"server-{index}.log"
            start(row, core)
            check(row, options.folder)
        for row in all_rows:
            measure(row, options.folder, min(options.seconds, 2))
        for round_ in range(options.rounds):
            # There and back, so that what changes slowly hits all alike.
            for row in all_rows[:: -1 if round_ % 2 else 1]:
                row.results.append(measure(row, options.folder, options.seconds))
            print(f"round {round_ + 1} of {options.rounds}", file=sys.stderr)
        report(all_rows, options, core)
        stop(all_rows)
        if shutil.which("oha"):
            all_rows = rows(options)[:3]
            with_oha(all_rows, options)
    finally:
        stop(all_rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True, help="with keys and tokens")
    parser.add_argument("--bin", type=Path, required=True, help="with the servers of this crate")
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--seconds", type=int, required=True)
    return parser.parse_args()


def pin() -> int | None:
    """Moves this process, and so the loader, off the core that the servers get."""
    cores = sorted(CORES)
    if len(cores) < 2:
        return None
    os.sched_setaffinity(0, {cores[1]})
    return cores[0]


# --- server and loader on all cores ---


def with_oha(axum: list[Row], options: argparse.Namespace) -> None:
    """The first rows once more, by a loader that takes more time than the server."""
    os.sched_setaffinity(0, CORES)
    rates: dict[str, list[float]] = {row.what: [] for row in axum}
    for index, row in enumerate(axum):
        row.log = options.folder / f"oha-{index}.log"
        start(row, None, threads=None)
        oha(row, options)
    for round_ in range(options.rounds):
        for row in axum[:: -1 if round_ % 2 else 1]:
            rates[row.what].append(oha(row, options))
    print("\nWith oha, server and loader on all cores, requests/s, best and median:")
    first = rates[axum[0].what]
    for what, found in rates.items():
        most, middle = max(found), statistics.median(found)
        print(f"- {what}: {most:.0f} ({most / max(first):.3f})", end="")
        print(f", {middle:.0f} ({middle / statistics.median(first):.3f})")


def oha(row: Row, options: argparse.Namespace) -> float:
    token = (options.folder / row.tokens).read_text().split()[0]
    command = ["oha", "--no-tui", "--output-format", "json", "-c", "50", "-z"]
    command += [f"{options.seconds}s", "-H", f"Authorization: Bearer {token}"]
    command += [f"http://127.0.0.1:{row.port}{row.path}"]
    output = subprocess.run(command, capture_output=True, text=True, timeout=options.seconds + 60)
    result = json.loads(output.stdout or "{}")
    if list(result.get("statusCodeDistribution", {})) != ["200"]:
        fail(row, f"oha was answered {result or output.stderr}")
    return result["summary"]["requestsPerSec"]


# --- one server ---


def start(row: Row, core: int | None, threads: int | None = 1) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        row.port = free.getsockname()[1]
    env = os.environ | row.env
    env |= {"BIND": f"127.0.0.1:{row.port}", "PORT": str(row.port)}
    if threads is not None:
        env["TOKIO_WORKER_THREADS"] = str(threads)
    env |= {"NODE_ENV": "production"}
    env |= {"PYTHONDONTWRITEBYTECODE": "1"}
    pinned = [] if core is None else ["taskset", "--cpu-list", str(core)]
    command = [*pinned, *(part.format(port=row.port) for part in row.command)]
    with row.log.open("wb") as log:
        row.process = subprocess.Popen(
            command, cwd=HERE, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if row.process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", row.port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    fail(row, "does not start")


def stop(all_rows: list[Row]) -> None:
    for row in all_rows:
        if row.process:
            row.process.kill()
            row.process.wait()


def fail(row: Row, what: str) -> None:
    raise Failure(f"{row.label}: {what}\n{row.log.read_text(errors='replace')}")


def check(row: Row, folder: Path) -> None:
    """A server that lets everybody in, or nobody, is not measured."""
    tokens = (folder / row.tokens).read_text().split()
    for token in {tokens[0], tokens[-1]}:
        status, body = ask(row, token)
        as_said = body == BODY if row.same_body else json.loads(body or "{}").get("sub") == "ada"
        if status != 200 or not as_said:
            fail(row, f"a good token gives {status} {body}")
    if row.is_open:
        return
    algorithm = "rs256" if row.tokens == "many" else row.tokens
    bad = {what: (folder / f"{algorithm}.{what}").read_text().strip() for what in BAD}
    for what, token in {"no token": None, **bad}.items():
        status, body = ask(row, token)
        if status != 401:
            fail(row, f"a bad request ({what}) gives {status} {body}")


def ask(row: Row, token: str | None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", row.port, timeout=10)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request("GET", row.path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def measure(row: Row, folder: Path, seconds: int) -> Result:
    command = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--timeout", "10s"]
    command += ["--duration", f"{seconds}s", "--script", str(HERE / "load.lua")]
    command += [f"http://127.0.0.1:{row.port}{row.path}", "--", str(folder / row.tokens)]
    server, loader = server_cpu(row), loader_cpu()
    output = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    server, loader = server_cpu(row) - server, loader_cpu() - loader
    numbers = [line for line in output.stdout.splitlines() if line.startswith("result ")]
    if not numbers:
        fail(row, f"wrk has no result:\n{output.stdout}{output.stderr}")
    requests, micros, p50, p99, failed = map(int, numbers[0].split()[1:])
    if failed or not requests:
        fail(row, f"{failed} of {requests} requests failed")
    return Result(
        rate=requests / micros * 1e6,
        p50=p50 / 1e3,
        p99=p99 / 1e3,
        cpu=server / requests * 1e6,
        server_busy=server / micros * 1e6,
        loader_busy=loader / micros * 1e6,
    )


def server_cpu(row: Row) -> float:
    """Seconds so far, of all threads."""
    try:
        stat = Path(f"/proc/{row.process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
    except (OSError, ValueError):
        fail(row, "is gone")
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def loader_cpu() -> float:
    """Seconds so far, of the children that have ended: no server has."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def peak_memory(row: Row) -> float:
    for line in Path(f"/proc/{row.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


# --- the table ---


def report(all_rows: list[Row], options: argparse.Namespace, core: int | None) -> None:
    where = "server and loader on a core each" if core is not None else "ONE core for both"
    print(f"{machine()}; {where}; {CONNECTIONS} connections; ", end="")
    print(f"{options.rounds} rounds of {options.seconds} s, the best of them")
    print(versions() + "\n")
    columns = ["requests/s", "lowest–highest", "p50 ms", "p99 ms", "server µs/request"]
    columns += ["server busy", "loader busy", "peak MiB"]
    columns += ["of axum unprotected", "of its own unprotected"]
    print("| server | " + " | ".join(columns) + " |")
    print("|---" + "|--:" * len(columns) + "|")
    for row in all_rows:
        rates = [result.rate for result in row.results]
        cells = [
            row.label,
            f"{best(row, 'rate'):.0f}",
            f"{min(rates):.0f}–{max(rates):.0f}",
            f"{best(row, 'p50'):.2f}",
            f"{best(row, 'p99'):.2f}",
            f"{best(row, 'cpu'):.1f}",
            f"{best(row, 'server_busy'):.0%}",
            f"{best(row, 'loader_busy'):.0%}",
            f"{peak_memory(row):.0f}",
            share(row, unprotected(all_rows, row, "axum")),
            share(row, unprotected(all_rows, row, row.server)),
        ]
        print("| " + " | ".join(cells) + " |")
    judge(all_rows)


def judge(all_rows: list[Row]) -> None:
    layer = next(row for row in all_rows if row.what == LAYER)
    bare = unprotected(all_rows, layer, layer.server)
    ratio = ratio_of(layer, bare)
    print(f"\n{layer.label}, of unprotected: {ratio:.3f} by requests/s", end="")
    print(f" (bar {BAR}: {'met' if ratio >= BAR else 'missed'})", end="")
    print(f", {ratio_of(bare, layer, 'cpu'):.3f} by the server's time for a request")
    identity = next(row for row in all_rows if row.what == IDENTITY)
    print(f"Of {IDENTITY}: {ratio_of(layer, identity):.3f} by requests/s", end="")
    print(f", {ratio_of(identity, layer, 'cpu'):.3f} by the server's time for a request")
    if best(bare, "loader_busy") > 0.95:
        print("The loader was at its limit, which flatters the first number.")
    if any(max(best(row, "server_busy"), best(row, "loader_busy")) < 0.8 for row in all_rows):
        print("Neither server nor loader had a core to itself: measure on a quieter machine.")


def best(row: Row, name: str) -> float:
    """Of the round in which a request took the least of the server's time: what the machine
    does beside it can only add."""
    return getattr(min(row.results, key=lambda result: result.cpu), name)


def unprotected(all_rows: list[Row], row: Row, server: str) -> Row | None:
    """The open route of that server under the same load, or under the usual one."""
    found = [other for other in all_rows if other.server == server and other.is_open]
    found.sort(key=lambda other: (other.tokens == "many") != (row.tokens == "many"))
    return found[0] if found else None


def share(row: Row, other: Row | None) -> str:
    return "" if other is None else f"{ratio_of(row, other):.3f}"


def ratio_of(row: Row, other: Row, name: str = "rate") -> float:
    return best(row, name) / best(other, name)


def machine() -> str:
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{os.cpu_count()} cores of {model[0] if model else platform.machine()}"


def versions() -> str:
    def npm(name: str) -> str:
        return json.loads((HERE / f"node_modules/{name}/package.json").read_text())["version"]

    lock = (HERE / "Cargo.lock").read_text()
    axum = lock.partition('name = "axum"\nversion = "')[2].partition('"')[0]
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    python = ["fastapi", "starlette", "uvicorn", "python-jose", "cryptography"]
    facts = [f"axum {axum}", f"Python {platform.python_version()}"]
    facts += [f"{name} {version(name)}" for name in python]
    facts += [f"Node.js {node.stdout.strip().lstrip('v')}"]
    facts += [f"{name} {npm(name)}" for name in ["fastify", "@fastify/jwt", "fast-jwt"]]
    return ", ".join(facts)


try:
    main()
except Failure as failure:
    sys.exit(f"measure.py: {failure}")
