"""Run the documentation's curl lines against a sandbox; print each response beside the documented one.

    python tests/sandbox/side_by_side.py

Starts a sandbox, runs every line with only the host changed (and the ids that are missing from the
documentation's text), and prints the documented example (`tests/support/examples`) on the left and the live
response on the right. Values differ, because the sandbox has its own prices and pictures. A documented field
that the live response lacks, or whose value has another type, is marked, and the script exits with status 1.
Of each list, the documentation's first entry is shown, beside the live entry with the same id, slug or brand.
"""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from zooop_nb.sandbox.media import Work, render
from zooop_nb.sandbox.process import SandboxProcess

EXAMPLES = Path(__file__).resolve().parents[1] / "support" / "examples"
WIDTH = 58

PERSONAL, UNCAPPED, TEAM, UNBOUND = (
    "zpk_test_personal",
    "zpk_test_uncapped",
    "zpk_test_team",
    "zpk_test_unbound",
)
WORLD = {
    "now": "2026-05-15T10:00:00Z",
    "teams": [{"id": "t1", "balance": 5000}],
    "tokens": [
        {"token": PERSONAL, "balance": 84495, "label": "claude-code-mac", "dailyCap": 1000, "spentToday": 42},
        {"token": UNCAPPED, "expiresAt": "2026-12-31T00:00:00Z"},
        {"token": TEAM, "kind": "team", "team": "t1"},
        {"token": UNBOUND, "project": {"bound": False}},
    ],
}

_BEARER = '-H "Authorization: Bearer $ZOOOP_API_KEY"'
_JSON = '-H "Content-Type: application/json"'


def get(path: str) -> str:
    return f'curl -sS {_BEARER} \\\n  "$ZOOOP_API_HOST{path}"'


def post(path: str, body: object, *headers: str) -> str:
    said = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    more = "".join(f' \\\n  -H "{header}"' for header in headers)
    return f"curl -sS -X POST {_BEARER} \\\n  {_JSON}{more} \\\n  -d '{said}' \\\n  \"$ZOOOP_API_HOST{path}\""


def upload(content_type: str, file: str) -> str:
    return (
        f'curl -sS -X POST {_BEARER} \\\n  -H "Content-Type: {content_type}" \\\n'
        f'  --data-binary @{file} \\\n  "$ZOOOP_API_HOST/v1/uploads"'
    )


class Session:
    """One sandbox, a folder with the files to send, and a shell in that folder."""

    def __init__(self, sandbox: SandboxProcess, folder: Path) -> None:
        self.sandbox = sandbox
        self.folder = folder

    def shell(self, script: str, token: str = PERSONAL) -> str:
        environment = {**os.environ, "ZOOOP_API_KEY": token, "ZOOOP_API_HOST": self.sandbox.url}
        ended = subprocess.run(
            ["sh", "-e", "-c", script],
            capture_output=True,
            text=True,
            check=True,
            cwd=self.folder,
            env=environment,
        )
        return ended.stdout

    def advance(self, seconds: float) -> None:
        httpx.post(
            f"{self.sandbox.url}/_sandbox/clock", json={"advance": seconds}, timeout=30
        ).raise_for_status()

    def model(self, name: str, type: str = "image", subtype: str = "default") -> dict[str, Any]:
        listed = json.loads(self.shell(get(f"/v1/models?type={type}&subtype={subtype}")))["models"]
        return next(model for model in listed if model["name"] == name)

    def ended(self, path: str) -> None:
        """Advance the sandbox's clock past the time a task or a clip takes, and wait for the rendering."""
        self.advance(21)
        while json.loads(self.shell(get(path)))["status"] in ("queued", "running", "processing"):
            time.sleep(0.1)


def lines(session: Session) -> Iterator[tuple[str, str, str]]:
    """Yield each example's name, the documentation's line, and the token that sends it."""
    yield "me.200.reference-abbreviated", get("/v1/me"), PERSONAL
    yield "me.200.no-cap-from-prose", get("/v1/me"), UNCAPPED
    yield "me.200.team-from-prose", get("/v1/me"), TEAM
    yield "me.200.project-deleted-from-prose", get("/v1/me"), UNBOUND
    yield "listModels.200.reference", get("/v1/models?type=image&subtype=default"), PERSONAL
    yield "listModels.400.missing-category-from-prose", get("/v1/models"), PERSONAL
    yield "listTools.200.reference-abbreviated", get("/v1/ai-tools"), PERSONAL
    yield "getTool.200.background-removal", get("/v1/ai-tools/background-removal"), PERSONAL
    yield "getTool.200.style-transfer-abbreviated", get("/v1/ai-tools/style-transfer"), PERSONAL
    yield "listTemplates.200.superhero-movie-poster-from-prose", get("/v1/templates"), PERSONAL
    yield (
        "getTemplate.200.superhero-movie-poster-from-prose",
        get("/v1/templates/superhero-movie-poster"),
        PERSONAL,
    )
    kling = session.model("Kling V3", "video", "text-ref")
    clip = {
        "interfaceId": kling["id"],
        "versionId": "standard",
        "params": {"prompt": "a red panda", "duration": 5},
    }
    made = json.loads(session.shell(post("/v1/tasks", clip)))
    session.ended(f"/v1/tasks/{made['taskId']}")
    yield "quote.200.reference", post("/v1/quote", clip), PERSONAL
    flux = session.model("Flux 2 Flash")
    panda = {"interfaceId": flux["id"], "versionId": "standard", "params": {"prompt": "a red panda"}}
    yield "submitTask.200.reference", post("/v1/tasks", panda, "Idempotency-Key: k1"), PERSONAL
    yield "submitTask.200.idempotent-from-prose", post("/v1/tasks", panda, "Idempotency-Key: k1"), PERSONAL
    bare = {"interfaceId": session.model("Seedream 4.5")["id"], "versionId": "standard"}
    yield (
        "submitTask.400.missing-required-params",
        post("/v1/tasks", {**bare, "params": {"prompt": "a red panda"}}),
        PERSONAL,
    )
    fixed = {"template": "superhero-movie-poster", "params": {"aspect_ratio": "2:3", "prompt": "mine"}}
    yield "submitTask.400.fixed-by-template-from-prose", post("/v1/tasks", fixed), PERSONAL
    task = json.loads(session.shell(post("/v1/tasks", panda, "Idempotency-Key: k1")))["taskId"]
    session.ended(f"/v1/tasks/{task}")
    yield "getTask.200.reference", get(f"/v1/tasks/{task}"), PERSONAL
    yield "upload.200.reference", upload("image/png", "cat.png"), PERSONAL
    yield "upload.202.reference", upload("video/mp4", "cat.mp4"), PERSONAL
    yield "upload.451.reference", upload("image/png", "blocked.png"), PERSONAL
    polls = {
        name: json.loads(session.shell(upload("video/mp4", f"{name}.mp4")))["pollUrl"]
        for name in ("cat", "blocked", "errored")
    }
    yield "getUpload.202.processing", get(polls["cat"]), PERSONAL
    for path in polls.values():
        session.ended(path)
    yield "getUpload.200.ready", get(polls["cat"]), PERSONAL
    yield "getUpload.200.blocked", get(polls["blocked"]), PERSONAL
    yield "getUpload.200.errored", get(polls["errored"]), PERSONAL
    url = json.loads(session.shell(upload("image/png", "cat.png")))["url"]
    yield "describeImage.200.reference", post("/v1/describe-image", {"imageUrl": url}), PERSONAL


SNIPPET = """CT=$(curl -sI "$URL" | awk 'tolower($1)=="content-type:" {print $2}' | tr -d '\\r')
EXT=$(case "$CT" in image/png) echo png;; image/jpeg) echo jpg;; *) echo bin;; esac)
curl -fsSL -o "out.$EXT" "$URL"
ls out.*"""


def files(folder: Path) -> None:
    """Write the files to send: a picture and a clip, blocked copies of both, and a clip that fails."""
    cat = render(Work(action="picture", prompt="a cat", width=320, height=240, alpha=True))[0].data
    clip = render(Work(action="video", prompt="a cat", width=160, height=90, seconds=1))[0].data
    for name, data in {
        "cat.png": cat,
        "blocked.png": cat + b"sandbox-block:porn;",
        "cat.mp4": clip,
        "blocked.mp4": clip + b"sandbox-block:porn;",
        "errored.mp4": clip + b"sandbox-error:workflow gave up;",
    }.items():
        (folder / name).write_bytes(data)


def lacking(documented: Any, live: Any, place: str = "") -> Iterator[str]:
    """Yield the documented fields that the response lacks or whose values have another type."""
    if isinstance(documented, dict):
        if not isinstance(live, dict):
            yield place
            return
        for key, value in documented.items():
            if key not in live:
                yield f"{place}.{key}"
            else:
                yield from lacking(value, live[key], f"{place}.{key}")
    elif isinstance(documented, list):
        if not isinstance(live, list) or (documented and not live):
            yield place
            return
        for entry in documented:
            yield from lacking(entry, fellow(entry, live), f"{place}[]")
    elif None not in (documented, live) and _kind(documented) is not _kind(live):
        yield f"{place}: {documented!r} beside {live!r}"


def _kind(value: object) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)


def fellow(entry: Any, live: list[Any]) -> Any:
    """Return the live entry to show beside a documented one: same id, slug or brand, else the first."""
    for key in ("id", "slug", "brand"):
        for other in live:
            if isinstance(entry, dict) and isinstance(other, dict) and key in entry and key in other:
                mine, its = entry[key], other[key]
                if mine == its or (key == "brand" and mine["id"] == its["id"]):
                    return other
    return live[0]


def shortened(value: Any, documented: Any = None) -> Any:
    """Cut lists of objects to one entry, the one that matches the documented entry."""
    if isinstance(value, dict):
        known = documented if isinstance(documented, dict) else {}
        return {key: shortened(each, known.get(key)) for key, each in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        first = documented[0] if isinstance(documented, list) and documented else None
        more = [f"... {len(value) - 1} more"] if len(value) > 1 else []
        return [shortened(fellow(first, value), first), *more]
    return value


def columns(left: Any, right: Any) -> str:
    def wrapped(value: Any) -> list[str]:
        text = json.dumps(shortened(value, left), indent=1, ensure_ascii=False)
        return [
            part
            for line in text.splitlines()
            for part in textwrap.wrap(line, WIDTH, subsequent_indent="    ", drop_whitespace=False) or [""]
        ]

    ours, theirs = wrapped(left), wrapped(right)
    rows = max(len(ours), len(theirs))
    pairs = zip(ours + [""] * (rows - len(ours)), theirs + [""] * (rows - len(theirs)), strict=True)
    return "\n".join(f"{a:{WIDTH}} | {b}".rstrip() for a, b in pairs)


def main() -> int:
    faults = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        SandboxProcess.start(world=WORLD, speed=1, control=True) as sandbox,
    ):
        session = Session(sandbox, Path(folder))
        files(session.folder)
        for name, script, token in lines(session):
            documented = json.loads((EXAMPLES / f"{name}.json").read_text("utf-8"))
            answer = session.shell(script + ' -w "\\n%{http_code}"', token)
            body, _, status = answer.rpartition("\n")
            live = json.loads(body)
            print(f"\n=== {name}   (live status {status})\n$ {script}\n")
            print(f"{'documented':{WIDTH}} | live")
            print(columns(documented, live))
            missing = list(lacking(documented, live))
            if status != name.split(".")[1]:
                missing.append(f"the status: {status}")
            for each in missing:
                print(f"!!! differs: {each}")
            faults += len(missing)
            if name == "getTask.200.reference":
                url = live["outputs"][0]["url"]
                said = session.shell(f'URL="{url}"\n{SNIPPET}')
                print(f'\n=== the download snippet\n$ URL="{url}"\n{SNIPPET}\n-> {said}')
                faults += said.strip() != "out.jpg"
        diagnosis = 'curl -fsS -o /dev/null -w "%{http_code}\\n" "$ZOOOP_API_HOST/llms.txt"'
        said = session.shell(diagnosis).strip()
        print(f"\n=== the outage diagnosis\n$ {diagnosis}\n-> {said}")
        faults += said != "200"
    print(f"\n{faults} differences" if faults else "\nNothing documented is missing.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
