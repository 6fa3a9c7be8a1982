"""What a request costs beside its cells: one cell whose score is remembered, to `etnas-fast serve` and back, through a Unix socket and through
pipes. The client is Python, and its time is part of the figure."""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CALLS = 2000
program = sys.argv[1] if len(sys.argv) > 1 else "target/release/etnas-fast"
request = json.dumps({"id": 1, "cells": [9930], "measures": ["naswot", "log_synflow", "degree"]}).encode() + b"\n"
words = [program, "serve", "--quiet", "--dataset", "imagenet16-120", "--batch", "8"]


def report(name, source, sink):
    seconds = []
    for _ in range(CALLS + 1):
        start = time.perf_counter()
        sink.write(request)
        sink.flush()
        answer = source.readline()
        seconds.append(time.perf_counter() - start)
    assert json.loads(answer)["records"][0]["index"] == 9930, answer
    print(f"{name:9} {statistics.median(seconds[1:]) * 1e6:8.1f} us a call, median of {CALLS}")


with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
    report("pipes", server.stdout, server.stdin)
    server.stdin.close()
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "socket")
    with subprocess.Popen([*words, "--socket", path]) as server:
        while not os.path.exists(path):
            time.sleep(0.01)
        with socket.socket(socket.AF_UNIX) as stream:
            stream.connect(path)
            report("socket", stream.makefile("rb"), stream.makefile("wb"))
        server.terminate()
