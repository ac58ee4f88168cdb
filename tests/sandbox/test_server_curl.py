"""The documentation's own shell lines, with only the host changed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.conftest import ALICE, Api

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def shell(api: Api, script: str, folder: Path) -> str:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "ZOOOP_API_KEY": ALICE,
        "ZOOOP_API_HOST": api.url,
        "MODEL": api.model("Flux 2 Flash")["id"],
    }
    ended = subprocess.run(
        ["sh", "-e", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


READ = """
curl -fsS -H "Authorization: Bearer $ZOOOP_API_KEY" "$ZOOOP_API_HOST%s"
"""


@pytest.mark.parametrize(
    ("path", "begins"),
    [
        ("/v1/me", '{"key":{"id":"'),
        ("/v1/models?type=image&subtype=default", '{"models":[{"id":"'),
        ("/v1/models?type=video&subtype=motion-control", '{"models":[{"id":"'),
        ("/v1/ai-tools", '{"aiTools":[{"slug":"'),
        ("/v1/ai-tools/background-removal", '{"slug":"background-removal"'),
        ("/v1/templates?type=image", '{"templates":[{"slug":"'),
    ],
)
def test_what_is_read_with_curl(api: Api, tmp_path: Path, path: str, begins: str) -> None:
    assert shell(api, READ % path, tmp_path).startswith(begins)


def test_an_order_from_quote_to_file_with_shell_patterns_alone(api: Api, tmp_path: Path) -> None:
    body = '{"interfaceId":"\'"$MODEL"\'","versionId":"standard","params":{"prompt":"a red panda"}}'
    quote = f"""
    curl -fsS -X POST "$ZOOOP_API_HOST/v1/quote" -H "Authorization: Bearer $ZOOOP_API_KEY" \\
      -H "Content-Type: application/json" -d '{body}'
    """
    assert shell(api, quote, tmp_path).startswith('{"credits":')
    submit = f"""
    curl -fsS -X POST -H "Authorization: Bearer $ZOOOP_API_KEY" -H "Content-Type: application/json" \\
      -H "Idempotency-Key: k" -d '{body}' "$ZOOOP_API_HOST/v1/tasks" |
      grep -o '"taskId":"[^"]*"' | head -1 | cut -d'"' -f4
    """
    task_id = shell(api, submit, tmp_path).strip()
    api.finish(task_id)
    fetch = f"""
    curl -fsS -H "Authorization: Bearer $ZOOOP_API_KEY" "$ZOOOP_API_HOST/v1/tasks/{task_id}" > task.json
    grep -o '"status":"[a-z_]*"' task.json | head -1
    URL=$(grep -o '"url":"[^"]*"' task.json | head -1 | cut -d'"' -f4)
    CT=$(curl -sI "$URL" | awk 'tolower($1)=="content-type:" {{print $2}}' | tr -d '\\r')
    EXT=$(case "$CT" in image/png) echo png;; image/jpeg) echo jpg;; *) echo bin;; esac)
    curl -fsSL -o "out.$EXT" "$URL"
    """
    assert shell(api, fetch, tmp_path).strip() == '"status":"succeeded"'
    assert (tmp_path / "out.jpg").read_bytes().startswith(b"\xff\xd8")


def test_an_upload_with_curl_waits_for_100_continue_and_is_described(
    api: Api, tmp_path: Path, picture: bytes
) -> None:
    # Above a megabyte curl asks before it sends the body; bytes after the end of a PNG are harmless.
    (tmp_path / "cat.png").write_bytes(picture + bytes(2_000_000))
    upload = """
    curl -v -fsS -X POST -H "Authorization: Bearer $ZOOOP_API_KEY" -H "Content-Type: image/png" \\
      -H "Expect: 100-continue" --data-binary @cat.png "$ZOOOP_API_HOST/v1/uploads" 2>log
    grep -q '100 Continue' log
    """
    answer = shell(api, upload, tmp_path)
    assert answer.startswith('{"status":"ready","url":"')
    url = answer.split('"')[7]
    describe = f"""
    curl -fsS -X POST -H "Authorization: Bearer $ZOOOP_API_KEY" -H "Content-Type: application/json" \\
      -d '{{"imageUrl":"{url}","language":"zh"}}' "$ZOOOP_API_HOST/v1/describe-image"
    """
    assert shell(api, describe, tmp_path).startswith('{"credits":1,"subject":"')


def test_a_clip_is_polled_with_curl(api: Api, tmp_path: Path, clip: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(clip)
    upload = """
    curl -fsS -X POST -H "Authorization: Bearer $ZOOOP_API_KEY" -H "Content-Type: video/mp4" \\
      --data-binary @clip.mp4 "$ZOOOP_API_HOST/v1/uploads" | grep -o '"pollUrl":"[^"]*"' | cut -d'"' -f4
    """
    poll_url = shell(api, upload, tmp_path).strip()
    assert shell(api, READ % poll_url, tmp_path).strip() == '{"status":"processing"}'
    api.settle(poll_url.rsplit("/", 1)[1])
    assert shell(api, READ % poll_url, tmp_path).startswith('{"status":"ready","url":"')


def test_the_outage_diagnosis_finds_the_api_up(api: Api, tmp_path: Path) -> None:
    diagnosis = """curl -fsS -o /dev/null -w "%{http_code}\\n" "$ZOOOP_API_HOST/llms.txt" """
    assert shell(api, diagnosis, tmp_path).strip() == "200"


def test_every_documented_line_answers_with_every_documented_field() -> None:
    script = Path(__file__).with_name("side_by_side.py")
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Nothing documented is missing." in ended.stdout


def test_the_official_scripts_loops_submit_poll_upload_and_download(
    api: Api, tmp_path: Path, picture: bytes, clip: bytes
) -> None:
    """Behave as the official scripts do: match fields by pattern, poll until a final status.

    The first match counts. The idempotency key is the SHA-256 of the exact body.
    """
    (tmp_path / "clip.mp4").write_bytes(clip)
    submit = """
    BODY='{"interfaceId":"'"$MODEL"'","versionId":"standard","params":{"prompt":"a red panda"}}'
    KEY=$(printf '%s' "$BODY" | sha256sum | awk '{print $1}')
    send() {
      curl -fsS -X POST "$ZOOOP_API_HOST/v1/tasks" -H "Authorization: Bearer $ZOOOP_API_KEY" \
        -H "Content-Type: application/json" -H "Idempotency-Key: $KEY" -d "$BODY"
    }
    FIRST=$(send); AGAIN=$(send)
    ID=$(printf '%s' "$FIRST" | grep -oE '"taskId":"[^"]+"' | cut -d'"' -f4)
    printf '%s' "$AGAIN" | grep -qF '"taskId":"'"$ID"'"'
    printf '%s' "$AGAIN" | grep -qF '"idempotent":true'
    printf '%s' "$ID"
    """
    task_id = shell(api, submit, tmp_path).strip()
    poll = f"""
    for i in $(seq 400); do
      TASK=$(curl -fsS -H "Authorization: Bearer $ZOOOP_API_KEY" "$ZOOOP_API_HOST/v1/tasks/{task_id}")
      STATUS=$(printf '%s' "$TASK" | grep -oE '"status":"[a-z_]+"' | head -n1 | cut -d'"' -f4)
      case "$STATUS" in
        succeeded) printf '%s' "$TASK" | grep -oE '"url":"[^"]+"' | head -n1 | cut -d'"' -f4; exit 0;;
        failed|cancelled) exit 1;;
        queued|running) curl -fsS -o /dev/null -d '{{"advance":60}}' "$ZOOOP_API_HOST/_sandbox/clock";;
        *) exit 2;;
      esac
    done
    exit 3
    """
    url = shell(api, poll, tmp_path).strip()
    assert url.endswith(".webp")
    assert "-thumb" not in url
    follow = """
    ANSWER=$(curl -fsS -X POST -H "Authorization: Bearer $ZOOOP_API_KEY" -H "Content-Type: video/mp4" \
      --data-binary @clip.mp4 "$ZOOOP_API_HOST/v1/uploads")
    ID=$(printf '%s' "$ANSWER" | grep -oE '"uploadId":"[0-9a-f-]{36}"' | head -n1 | cut -d'"' -f4)
    for i in $(seq 100); do
      ANSWER=$(curl -fsS -H "Authorization: Bearer $ZOOOP_API_KEY" "$ZOOOP_API_HOST/v1/uploads/$ID")
      STATUS=$(printf '%s' "$ANSWER" | grep -oE '"status":"[a-z_]+"' | head -n1 | cut -d'"' -f4)
      case "$STATUS" in
        ready) printf '%s' "$ANSWER" | grep -oE '"url":"[^"]+"' | cut -d'"' -f4; exit 0;;
        processing) curl -fsS -o /dev/null -d '{"advance":20}' "$ZOOOP_API_HOST/_sandbox/clock";;
        *) exit 2;;
      esac
    done
    exit 3
    """
    assert shell(api, follow, tmp_path).strip().endswith(".mp4")


def test_the_documented_download_lines_take_a_see_through_pictures_ending_from_its_type(
    api: Api, tmp_path: Path, picture: bytes
) -> None:
    given = api.upload(picture, "image/png").json()["url"]
    body = {"aiTool": "background-removal", "params": {"image_url": given}}
    url = api.finish(api.post("/v1/tasks", json=body).json()["taskId"])["outputs"][0]["url"]
    download = f"""URL="{url}"
CT=$(curl -sI "$URL" | awk 'tolower($1)=="content-type:" {{print $2}}' | tr -d '\r')
EXT=$(case "$CT" in image/png) echo png;; image/jpeg) echo jpg;; *) echo bin;; esac)
curl -fL -o "out.$EXT" "$URL"
"""
    shell(api, download, tmp_path)
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
