"""The bench's dgen-py worker: measures what it is told on stdin, as the native worker does (see
native/engine/examples/measure). Cases are `fill one|shared BYTES MILLISECONDS`: one thread, or as many as dgen-py takes
by itself, refilling one buffer of that many bytes."""

import json
import sys
import time

import dgen_py

# A generator makes a table of its blocks at the start: a larger stream costs memory before it gives a byte.
STREAM_BYTES = 1 << 40
# Looks at the clock are at least this far apart, so that they cost nothing beside small chunks.
STEP_SECONDS = 0.001

generators = {}


def generator(crew):
    if crew not in generators:
        threads = {"one": {"max_threads": 1}, "shared": {}}[crew]
        generators[crew] = dgen_py.Generator(size=STREAM_BYTES, seed=1, **threads)
    return generators[crew]


def measure(operation, crew, size, milliseconds):
    if operation != "fill":
        raise ValueError(f"there is no operation {operation}")
    source = generator(crew)
    source.reset()
    buffer = bytearray(size)
    # Until a batch takes a step: that also warms up.
    calls, taken = 1, 0
    while taken < STEP_SECONDS:
        calls *= 2
        start = time.perf_counter()
        for _ in range(calls):
            source.fill_chunk(buffer)
        taken = time.perf_counter() - start
    done, start, start_cpu = 0, time.perf_counter(), time.process_time_ns()
    while time.perf_counter() - start < milliseconds / 1000:
        for _ in range(calls):
            done += source.fill_chunk(buffer)
    taken = time.perf_counter() - start
    return {"perSecond": done / taken, "amount": done, "cpuNs": time.process_time_ns() - start_cpu}


print(json.dumps({"version": dgen_py.__version__, "python": sys.version.split()[0]}), flush=True)
for line in sys.stdin:
    try:
        operation, crew, size, milliseconds = line.split()
        answer = measure(operation, crew, int(size), int(milliseconds))
    except Exception as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
