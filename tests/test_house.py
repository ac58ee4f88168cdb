"""The repository's own rules: what may be used where, and what must not appear anywhere."""

import ast
import importlib.metadata
import itertools
import json
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

TOP_LEVEL = {
    ".ci",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "binder",
    "constraints.txt",
    "notebooks",
    "pyproject.toml",
    "tests",
    "zooop_nb",
}
PACKAGE = {
    "__init__.py",
    "__main__.py",
    "_version.py",
    "backends.py",
    "cli.py",
    "client",
    "contract",
    "doctor.py",
    "errors.py",
    "frontend.py",
    "ledger",
    "late.py",
    "nearest.py",
    "notebook",
    "orders",
    "py.typed",
    "replay",
    "results",
    "sandbox",
    "settings.py",
    "signatures.py",
    "studio.py",
    "tasks",
    "verbs.py",
}
HEAVY = ("pandas", "numpy", "httpx", "ipywidgets", "anywidget", "pydantic", "msgspec", "PIL", "keyring")


@pytest.fixture(scope="module")
def tracked(root: Path) -> list[Path]:
    if not (root / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a checkout, or no git to ask")
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [root / name for name in names.split("\0") if name and (root / name).is_file()]


def texts(paths: list[Path]) -> dict[Path, str]:
    found = {}
    for path in paths:
        data = path.read_bytes()
        if b"\0" not in data:
            found[path] = data.decode("utf-8")
    return found


def test_every_top_level_name_is_one_of_the_house(tracked: list[Path], root: Path) -> None:
    names = {path.relative_to(root).parts[0] for path in tracked}
    assert names <= TOP_LEVEL


def test_every_part_of_the_package_is_one_of_the_house(tracked: list[Path], root: Path) -> None:
    names = {
        path.relative_to(root).parts[1] for path in tracked if path.relative_to(root).parts[0] == "zooop_nb"
    }
    assert names <= PACKAGE


def test_no_module_of_the_package_is_longer_than_400_lines(tracked: list[Path], root: Path) -> None:
    modules = [path for path in tracked if path.suffix == ".py" and path.is_relative_to(root / "zooop_nb")]
    lines = {str(path.relative_to(root)): len(path.read_text().splitlines()) for path in modules}
    assert {module: length for module, length in lines.items() if length > 400} == {}


def test_no_file_holds_what_looks_like_a_live_token(tracked: list[Path]) -> None:
    token = re.compile("zpk_" + r"live_[A-Za-z0-9]{8,}")
    assert [str(path) for path, text in texts(tracked).items() if token.search(text)] == []


def test_no_file_names_a_folder_of_the_machine_it_was_written_on(tracked: list[Path]) -> None:
    # /home/me is a placeholder, and a folder that every system has gives nothing away.
    folder = re.compile(r"(?<![\w.~$}/-])/(?:work|home(?!/me\b)|root|Users|opt|mnt|srv)/\w|\.\./shared\b")
    found = {str(path): match[0] for path, text in texts(tracked).items() if (match := folder.search(text))}
    assert found == {}


def test_notebooks_are_kept_without_outputs(tracked: list[Path]) -> None:
    notebooks = [path for path in tracked if path.suffix == ".ipynb"]
    assert notebooks
    for path in notebooks:
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                assert (cell["outputs"], cell["execution_count"]) == ([], None), path


def test_notebooks_say_nothing_of_the_machine_that_wrote_them(tracked: list[Path]) -> None:
    for path in tracked:
        if path.suffix == ".ipynb":
            metadata = json.loads(path.read_text("utf-8"))["metadata"]
            assert metadata["kernelspec"]["name"] == "python3", path
            assert "version" not in metadata.get("language_info", {}), path


def test_constraints_are_names_and_versions_only(root: Path) -> None:
    line = re.compile(r"[a-z0-9][a-z0-9.-]*==[\w.!+]+( ; [\w. '<>=!()]+)?")
    wrong = [
        each
        for each in (root / "constraints.txt").read_text("utf-8").splitlines()
        if not line.fullmatch(each)
    ]
    assert wrong == []


def test_every_dependency_says_why_it_is_there(root: Path) -> None:
    text = (root / "pyproject.toml").read_text("utf-8")
    blocks = re.findall(r"^(?:dependencies|sandbox|lab) = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    silent = [line for block in blocks for line in block.splitlines() if "#" not in line]
    assert silent == []


def test_what_the_package_imports_is_what_it_declares(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {
        canonical(re.match(r"[\w.-]+", each)[0])  # type: ignore[index]
        for each in itertools.chain(project["dependencies"], *project["optional-dependencies"].values())
    }
    owners = importlib.metadata.packages_distributions()
    undeclared = {}
    for path in (root / "zooop_nb").rglob("*.py"):
        for name in imported(ast.parse(path.read_text("utf-8"))) - sys.stdlib_module_names - {"zooop_nb"}:
            if not declared & {canonical(each) for each in owners.get(name, [name])}:
                undeclared[name] = str(path.relative_to(root))
    # Parts of the IPython and ipywidgets stack, which installs them in a matching version.
    assert undeclared.keys() - {"traitlets", "nbformat"} == set()


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name.split(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_no_layer_of_the_tests_imports_another_layers(root: Path) -> None:
    found = {}
    for path in (root / "tests").rglob("*.py"):
        place = path.relative_to(root)
        allowed = {"support", place.parts[1]}
        if others := imported_from_tests(ast.parse(path.read_text("utf-8")), place.parent.parts) - allowed:
            found[str(place)] = others
    assert found == {}


@pytest.mark.parametrize(
    "source",
    [
        "import tests.rules",
        "import tests.rules.bodies as bodies",
        "from tests import rules",
        "from tests.rules import bodies",
        "from tests.rules.bodies import raw",
        "from .. import rules",
        "from ..rules.bodies import raw",
        "def late():\n    from tests.rules import bodies",
    ],
)
def test_an_import_of_another_layer_is_seen_in_every_form(source: str) -> None:
    assert imported_from_tests(ast.parse(source), ("tests", "kernel")) == {"rules"}


def imported_from_tests(tree: ast.AST, package: tuple[str, ...]) -> set[str]:
    """The folders and modules directly under `tests` that a module of `package` imports.

    `tests` itself is among them if it is imported bare, because its attributes reach every layer.
    """
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [each.name.split(".") for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = base + (node.module.split(".") if node.module else [])
            names += [[*module, each.name] for each in node.names]
    return {"".join(name[1:2]) or "tests" for name in names if name[0] == "tests"}


def test_nothing_below_the_notebook_words_a_message_for_it(root: Path) -> None:
    found = {}
    for path in (root / "zooop_nb").rglob("*.py"):
        room = path.relative_to(root / "zooop_nb").parts[0]
        if room not in {"notebook", "sandbox"}:
            for text in literals(ast.parse(path.read_text("utf-8"))):
                if "%zooop" in text or "cell again" in text:
                    found[str(path.relative_to(root))] = text
    assert found == {}


def literals(tree: ast.AST) -> set[str]:
    """The string literals of a module that are not documentation."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
    }


@pytest.mark.parametrize("first", ["import zooop_nb", "shell.run_line_magic('load_ext', 'zooop_nb')"])
def test_loading_imports_nothing_heavy(first: str, tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        import sys
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        before = set(sys.modules)
        {first}
        assert "zooop_nb" in sys.modules
        print(sorted((set(sys.modules) - before) & set({HEAVY!r})))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_command_line_starts_without_the_notebook_or_the_network(tmp_path: Path) -> None:
    script = f"import sys, zooop_nb.cli; print(sorted(set(sys.modules) & set({(*HEAVY, 'IPython')!r})))"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
