"""Compare the API's shapes in msgspec with the same shapes in pydantic: import time and decoding.

    python tests/bench/shapes.py [--runs 11]

The pydantic module is generated from the msgspec one, class for class and field for field, so that both do
the same work. Imports are timed in new interpreters, alternating; decoding is timed on the sandbox's response
to `GET /v1/models`, in which both must find the same models. `json.loads`, which validates nothing, is the
lower bound.
"""

import argparse
import importlib.util
import inspect
import json
import statistics
import subprocess
import sys
import tempfile
import timeit
import urllib.request
from pathlib import Path
from typing import Any

import msgspec

from zooop_nb.contract import shapes
from zooop_nb.sandbox.process import SandboxProcess

IMPORT = "import time; begun = time.perf_counter(); import {0}; print((time.perf_counter() - begun) * 1000)"


def as_pydantic() -> str:
    """Return the source of the shapes module, rewritten for pydantic."""
    lines = [
        "from typing import Any",
        "from pydantic import BaseModel, ConfigDict",
        "from pydantic.alias_generators import to_camel",
        "class Shape(BaseModel):",
        "    model_config = ConfigDict(frozen=True, alias_generator=to_camel, protected_namespaces=())",
    ]
    structs = [
        each
        for each in vars(shapes).values()
        if inspect.isclass(each) and issubclass(each, shapes.Shape) and each is not shapes.Shape
    ]
    for struct in structs:
        lines.append(f"class {struct.__name__}(Shape):")
        for field in msgspec.structs.fields(struct):
            lines.append(f"    {field.name}: {_annotation(field.type)}{_default(field)}")
    return "\n".join(lines) + "\n"


def _annotation(type: Any) -> str:
    return (
        type.__name__
        if inspect.isclass(type)
        else str(type).replace("zooop_nb.contract.shapes.", "").replace("typing.", "")
    )


def _default(field: Any) -> str:
    if field.default is not msgspec.NODEFAULT:
        plain = field.default is None or isinstance(field.default, str | int | float | bool)
        return f" = {field.default!r}" if plain else f" = {type(field.default).__name__}()"
    return "" if field.default_factory is msgspec.NODEFAULT else f" = {field.default_factory()!r}"


def imported(module: str, folder: str) -> float:
    """Return the milliseconds that a new interpreter takes to import the module."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT.format(module)], cwd=folder, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def answer() -> bytes:
    """Return the sandbox's response to `GET /v1/models`."""
    with SandboxProcess.start(speed=0) as sandbox:
        asked = urllib.request.Request(
            f"{sandbox.url}/v1/models?type=image&subtype=default",
            headers={"Authorization": f"Bearer {sandbox.token}"},
        )
        with urllib.request.urlopen(asked) as response:
            body: bytes = response.read()
            return body


def per_call(call: Any, runs: int) -> float:
    """Return the median of `runs` timings, in microseconds per call."""
    timer = timeit.Timer(call)
    number, _ = timer.autorange()
    return statistics.median(timer.repeat(runs, number)) / number * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=11, metavar="N", help="default: %(default)d")
    runs = parser.parse_args().runs
    body = answer()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "pydantic_shapes.py")
        file.write_text(as_pydantic(), "utf-8")
        spec = importlib.util.spec_from_file_location("pydantic_shapes", file)
        assert spec is not None
        assert spec.loader is not None
        peer: Any = importlib.util.module_from_spec(spec)
        sys.modules["pydantic_shapes"] = peer
        spec.loader.exec_module(peer)
        modules = ("zooop_nb.contract.shapes", "pydantic_shapes")
        times: dict[str, list[float]] = {module: [] for module in modules}
        for _ in range(runs + 1):
            for module in modules:
                times[module].append(imported(module, folder))
    # The first import of each module writes the bytecode, so it is left out.
    ours, theirs = (statistics.median(times[module][1:]) for module in modules)
    _same(msgspec.json.decode(body, type=shapes.ModelList), peer.ModelList.model_validate_json(body))
    quick = per_call(lambda: msgspec.json.decode(body, type=shapes.ModelList), runs)
    slow = per_call(lambda: peer.ModelList.model_validate_json(body), runs)
    floor = per_call(lambda: json.loads(body), runs)
    print(f"Python {sys.version.split()[0]}, medians of {runs} runs; /v1/models is {len(body):,} bytes")
    print(f"{'':24}{'msgspec':>10}{'pydantic':>10}{'ratio':>8}")
    print(f"{'import, ms':24}{ours:10.1f}{theirs:10.1f}{theirs / ours:8.1f}")
    print(f"{'decode /v1/models, µs':24}{quick:10.0f}{slow:10.0f}{slow / quick:8.1f}")
    print(f"{'json.loads, µs':24}{floor:10.0f}")


def _same(ours: Any, theirs: Any) -> None:
    """Check that both decoded the same values; otherwise the comparison means nothing."""
    assert json.loads(msgspec.json.encode(msgspec.to_builtins(ours))) == json.loads(
        theirs.model_dump_json(by_alias=True, exclude_defaults=True)
    )


if __name__ == "__main__":
    main()
