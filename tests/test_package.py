"""What a stranger meets first: the package's names, its light import, its README."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import fallline

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("numba", "torch", "sklearn", "plotly", "pyarrow", "scipy", "numpy", "rich", "click")


def test_importing_loads_nothing_heavy() -> None:
    code = f"import sys, fallline; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", fallline.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(fallline, name)
    assert isinstance(value, str | dict) or value.__doc__


def test_public_names_are_sorted_and_listed() -> None:
    assert list(fallline.__all__[1:]) == sorted(fallline.__all__[1:])
    assert dir(fallline) == sorted(fallline.__all__)


def test_an_unknown_name_is_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="no attribute 'adam'"):
        _ = fallline.adam


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_readme_runs(page: str) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    names = {"fallline": fallline, "X": X, "y": X @ [1.0, -2.0, 0.5] + rng.normal(size=200)}
    for block in blocks[1:3]:
        exec(compile(block, page, "exec"), names)
    assert names["model"].reason_
    assert names["run"].reason
    assert len(names["run"].w) == 4
    module = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0))
    names |= {"module": module, "optimizer": torch.optim.SGD(module.parameters(), 0.1)}
    exec(compile(blocks[3], page, "exec"), names)
    assert names["run"].state.t > 0
    assert isinstance(names["model"], torch.nn.Module)


def test_the_readme_quotes_what_the_command_says() -> None:
    found = fallline.compare("diabetes")
    for page in ("README.md", "README.zh-CN.md"):
        quoted = " ".join((ROOT / page).read_text(encoding="utf-8").split())
        assert found.verdict.headline in quoted
        assert found.verdict.sentences[0].rstrip(".") in quoted


def test_both_readmes_show_the_same_commands() -> None:
    english, chinese = ((ROOT / page).read_text(encoding="utf-8") for page in ("README.md", "README.zh-CN.md"))
    for text in ("make demo", "make test", "fallline compare diabetes", "fallline.minimize(f, w0)"):
        assert text in english
        assert text in chinese
    assert re.findall(r"\]\(((?:docs|src|examples)[^)]*)\)", english) == re.findall(
        r"\]\(((?:docs|src|examples)[^)]*)\)", chinese
    )


def test_links_of_the_readmes_lead_somewhere() -> None:
    for page in ("README.md", "README.zh-CN.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text(encoding="utf-8")):
            assert (ROOT / link).exists(), (page, link)
