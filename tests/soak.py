#!/usr/bin/env python3
"""Half an hour of searches, sweeps and requests, with kills at random moments.

    cargo build --release && python3 tests/soak.py --minutes 30

Three things go on, turn by turn, until the time is over:
 * sweeps that are killed (SIGKILL, SIGTERM, SIGINT) at random moments and resumed until they are complete; the file must be that of a sweep that
   nobody disturbed, byte for byte;
 * repeated searches, whose reports must be equal;
 * one resident server (`serve`), asked for scores all the time, and told to forget nothing: its answers must never change, and its memory and
   file handles must be flat. Clients that leave in the middle of an answer and requests that are wrong are part of it.
Prints what was done and the server's memory minute by minute; ends with 1 if anything was not as it should be.
"""

import argparse
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--minutes", type=float, default=30)
parser.add_argument("--program", default="target/release/etnas-fast")
parser.add_argument("--seed", type=int, default=None, help="of the kills [default: the time]")
arguments = parser.parse_args()
seed = arguments.seed if arguments.seed is not None else int(time.time())
rng = random.Random(seed)
quick = ["--dataset", "imagenet16-120", "--batch", "4", "--threads", "1"]
counts = dict(kills=0, sweeps=0, searches=0, requests=0, wrong=0, left=0)


def fail(what):
    print(f"NOT SO: {what}")
    server.kill()
    sys.exit(1)


def run(*words, **more):
    return subprocess.run([arguments.program, *words], capture_output=True, check=True, **more).stdout


def sweep_words(path):
    chosen = ["--sample", "400", "--sample-seed", "5", "--measures", "naswot,log-synflow,degree", "--format", "jsonl"]
    return ["score", *chosen, *quick, "--chunk", "4", "--quiet", "--resume", "-o", path]


def disturbed_sweep(folder):
    """A sweep that is killed until it is complete."""
    path = os.path.join(folder, "killed.jsonl")
    for kept in (path, path + ".meta.json"):
        if os.path.exists(kept):
            os.remove(kept)
    while True:
        child = subprocess.Popen([arguments.program, *sweep_words(path)], stderr=subprocess.PIPE)
        try:
            errors = child.communicate(timeout=rng.uniform(0.02, whole_seconds * 0.6))[1]
        except subprocess.TimeoutExpired:
            child.send_signal(rng.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
            errors = child.communicate()[1]
            counts["kills"] += 1
        if child.returncode == 0:
            break
        if child.returncode not in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, 130):
            fail(f"a sweep ended with {child.returncode}: {errors.decode()}")
    for ending in ("", ".meta.json"):
        if open(path + ending, "rb").read() != open(whole + ending, "rb").read():
            fail(f"{path}{ending} is not {whole}{ending}")
    counts["sweeps"] += 1


def ask(stream, request):
    stream.sendall(json.dumps(request).encode() + b"\n")
    line = b""
    while not line.endswith(b"\n"):
        part = stream.recv(1 << 20)
        if not part:
            fail(f"the server left: {line!r}")
        line += part
    return json.loads(line)


def connect():
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(listening)
    return stream


def requests(stream):
    """A few hundred requests, right and wrong ones."""
    for _ in range(200):
        cells = [rng.randrange(15625) for _ in range(rng.randrange(1, 20))]
        # All cells by LogSynflow, a hundred by naswot: the server remembers 15,725 scores at most.
        measure = rng.choice(["log_synflow", "naswot"])
        cells = cells if measure == "log_synflow" else [cell % 100 for cell in cells]
        answer = ask(stream, {"id": 1, "cells": cells, "measures": [measure]})
        for cell, record in zip(cells, answer["records"], strict=True):
            value = known.setdefault((measure, cell), record[measure])
            if record["index"] != cell or record[measure] != value:
                fail(f"{measure} of {cell} was {value} and is {record}")
        counts["requests"] += 1
    for wrong in ({"cells": [15625]}, {"cell": 1}, {"cells": [1], "measures": ["x"]}, 5):
        if "error" not in ask(stream, wrong):
            fail(f"{wrong} was accepted")
        counts["wrong"] += 1
    leaving = connect()
    leaving.sendall(json.dumps({"cells": list(range(100)), "measures": ["naswot"]}).encode() + b"\n{\"cells\": [")
    leaving.close()
    counts["left"] += 1


def used():
    """Megabytes of memory, file handles and threads of the server."""
    status = open(f"/proc/{server.pid}/status").read().split("\n")
    value = lambda key: int(next(line for line in status if line.startswith(key)).split()[1])
    return value("VmRSS:") / 1000, len(os.listdir(f"/proc/{server.pid}/fd")), value("Threads:")


with tempfile.TemporaryDirectory() as folder:
    version = run("--version").decode().strip()
    print(f"{version}, {arguments.minutes:g} minutes, seed {seed}")
    whole, known = os.path.join(folder, "whole.jsonl"), {}
    start = time.time()
    run(*sweep_words(whole))
    whole_seconds = time.time() - start
    search = ["search", "--runs", "5", *quick, "--format", "jsonl", "--quiet"]
    found = run(*search)
    listening = os.path.join(folder, "socket")
    server = subprocess.Popen([arguments.program, "serve", "--socket", listening, "--quiet", *quick])
    while not os.path.exists(listening):
        time.sleep(0.01)
    stream = connect()
    # Everything that the server will ever remember, so that what grows after this is a leak.
    for first in range(0, 15625, 1000):
        for record in ask(stream, {"cells": list(range(first, min(first + 1000, 15625))), "measures": ["log_synflow"]})["records"]:
            known["log_synflow", record["index"]] = record["log_synflow"]
    requests(stream)

    print("minute  memory, MB  handles  threads")
    samples, end, minute = [], time.time() + 60 * arguments.minutes, 0
    start = time.time()
    while time.time() < end:
        disturbed_sweep(folder)
        if run(*search) != found:
            fail("a search found something else")
        counts["searches"] += 1
        for _ in range(5):
            requests(stream)
            samples.append(used())
        if time.time() - start >= 60 * minute:
            memory, handles, threads = samples[-1]
            print(f"{minute:6}  {memory:10.1f}  {handles:7}  {threads:7}", flush=True)
            minute += 1

    third = max(1, len(samples) // 3)
    medians = [[statistics.median(column) for column in zip(*part)] for part in (samples[:third], samples[-third:])]
    print("done:", ", ".join(f"{count} {what}" for what, count in counts.items()))
    print("server, median of the first and of the last third:")
    for name, before, after in zip(("memory, MB", "handles", "threads"), *medians):
        print(f"  {name}: {before:.1f}, {after:.1f}")
    if medians[1][0] > medians[0][0] + 5 or medians[1][1] > medians[0][1] + 1 or medians[1][2] > medians[0][2] + 1:
        fail("memory, handles or threads of the server grew")
    server.send_signal(signal.SIGTERM)
    if server.wait(timeout=20) != 0 or os.path.exists(listening):
        fail("the server did not end in order")
    left = sorted(os.listdir(folder))
    if left != ["killed.jsonl", "killed.jsonl.meta.json", "whole.jsonl", "whole.jsonl.meta.json"]:
        fail(f"files were left behind: {left}")
    print("All as it should be.")
