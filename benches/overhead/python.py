"""What a call from Python costs beside the kernels: the median of many, in ms.

    pip install ./python && python benches/overhead/python.py [--rounds N] [--rust PROGRAM]

One cell at a time. A remembered score costs no kernel, so that all of its time is overhead: of the call, the thread it works on, and the arrays.
LogSynflow that is computed each time is set against the same loop in Rust (examples/06_overhead.rs), which cargo builds.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np

import etnas


def median(rounds: int, work) -> float:
    """Milliseconds of one call."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=1000)
    arguments.add_argument("--rust", help="examples/06_overhead as it was built; else cargo builds it")
    given = arguments.parse_args()
    rounds, root = given.rounds, Path(__file__).resolve().parents[2]

    engine = etnas.Engine(device="cpu")
    engine.score(9930, ["naswot", "log_synflow"])
    remembered = median(rounds, lambda: engine.score(9930, ["naswot", "log_synflow"]))

    def computed() -> None:
        engine.forget()
        engine.score(9930, "log_synflow")

    program = [given.rust] if given.rust else ["cargo", "run", "--release", "--quiet", "--example", "06_overhead", "--"]
    rust = float(subprocess.run([*program, str(rounds)], cwd=root, check=True, capture_output=True, text=True).stdout)
    python = median(rounds, computed)

    images = np.random.default_rng().standard_normal((128, 3, 32, 32)).astype(np.float32)
    levels = np.random.default_rng().integers(0, 256, (50_000, 3, 32, 32), dtype=np.uint8)
    few = max(rounds // 50, 3)
    photographs = median(few, lambda: etnas.Engine(device="cpu"))
    floats = median(few, lambda: etnas.Engine(device="cpu", images=images))
    bytes_ = median(few, lambda: etnas.Engine(device="cpu", images=levels))
    gaps = median(few, lambda: etnas.Engine(device="cpu", images=np.asfortranarray(images)))

    print(f"Python {platform.python_version()}, numpy {np.__version__}, etnas {etnas.version}; median of {rounds} calls, ms")
    print(f"score of one cell, remembered                    {remembered:.3f}")
    print(f"LogSynflow of one cell, computed, from Python    {python:.3f}")
    print(f"the same from Rust                               {rust:.3f}")
    print(f"difference                                       {python - rust:.3f}")
    print(f"engine on the built-in photographs               {photographs:.2f}")
    print(f"engine on an array of 128 images as floats       {floats:.2f}")
    print(f"the same, not in row-major order                 {gaps:.2f}")
    print(f"engine on 50,000 images as bytes, of which 128   {bytes_:.2f}")


if __name__ == "__main__":
    main()
