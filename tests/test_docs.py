"""The docs tell the truth: tables match the code, every part is named, links lead somewhere, and the examples run."""

import ast
import contextlib
import importlib.util
import io
import re
import sys
import tokenize
from pathlib import Path

import pytest

from fallline.averages import AVERAGES
from fallline.explain.concepts import CONCEPTS
from fallline.gauges import GAUGES
from fallline.losses import LOSSES, MULTICLASS
from fallline.penalties import PENALTIES
from fallline.samplers import SAMPLERS
from fallline.schedules import SCHEDULES
from fallline.steps import STEPS
from fallline.stops import STOPS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "CONTRIBUTING.md"]
TEXTBOOK = sorted(page.stem for page in (DOCS / "concepts").glob("*.md") if page.stem != "README")
PICTURE_SIZE = 40_000  # bytes at most: a page shows one of two, and the repository holds them all
TABLE_OF = {
    "averages.md": AVERAGES,
    "losses/README.md": {**LOSSES, **MULTICLASS},
    "penalties.md": PENALTIES,
    "samplers.md": SAMPLERS,
    "schedules.md": SCHEDULES,
    "steps.md": STEPS,
    "stops.md": {**STOPS, **GAUGES},
}
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def name(page):
    return page.relative_to(ROOT).as_posix()


def prose(page):
    """The page without its code, where brackets are no links."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(page):
    """What `#…` may follow the page's name: its headings as code hosts write them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    kept = (re.sub(r"[^\w\- ]", "", heading.strip().lower()) for heading in HEADING.findall(text))
    return {heading.replace(" ", "-") for heading in kept}


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_table_is_stale(generate):
    assert [name(page) for page in generate.stale()] == [], "run `python docs/generate.py`"


def test_every_table_stands_on_some_page(generate):
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [table for table in generate.TABLES if text.count(f"<!-- table: {table} -->") != 1] == []
    assert text.count("<!-- table: ") == len(generate.TABLES) == text.count("<!-- end of table -->")


def test_an_edited_table_is_named_and_then_mended(generate, tmp_path, monkeypatch, capsys):
    page = tmp_path / "docs" / "steps.md"
    page.parent.mkdir()
    whole = (DOCS / "steps.md").read_text(encoding="utf-8")
    page.write_text(whole.replace("`beta=0.9`", "`beta=0.8`"), encoding="utf-8")
    monkeypatch.setattr(generate, "DOCS", page.parent)
    assert generate.main(["--check"]) == 1
    assert "docs/steps.md is stale" in capsys.readouterr().err
    assert generate.main([]) == 0
    assert page.read_text(encoding="utf-8") == whole
    assert generate.main(["--check"]) == 0


@pytest.mark.parametrize("page", TABLE_OF)
def test_every_part_is_named_on_its_page_outside_the_table_too(page):
    text = re.sub(
        r"<!-- table:.*?<!-- end of table -->", "", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL
    )
    if page == "losses/README.md":  # what there is to say of a loss stands on its own page
        text += "".join(f"`{path.stem}`" for path in (DOCS / "losses").glob("*.md"))
    missing = [part for part in TABLE_OF[page] if f"`{part}`" not in text]
    assert missing == [], f"{page} says nothing of when to use them"


def test_every_loss_has_a_page_and_every_page_a_loss():
    assert {path.stem for path in (DOCS / "losses").glob("*.md")} - {"README"} == {*LOSSES, *MULTICLASS}


@pytest.mark.parametrize("loss", {**LOSSES, **MULTICLASS})
def test_the_page_of_a_loss_says_what_every_page_of_a_loss_says(loss):
    text = (DOCS / "losses" / f"{loss}.md").read_text(encoding="utf-8")
    wanted = ["| units |", "| gradient |", "| smooth |", "| stable limit |", "| targets |", "## When another is better"]
    assert [line for line in [*wanted, "## Example", "## Source"] if line not in text] == []
    smooth = {**LOSSES, **MULTICLASS}[loss]().smooth()
    assert f"| smooth | {'yes' if smooth else 'no'}" in text
    better = text.split("## When another is better")[1].split("## Example")[0]
    assert LINK.search(better), "it names no other loss"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_somewhere(page):
    broken = []
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        found = target.exists() and (not anchor or anchor in anchors(target))
        if not found:
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_index():
    seen, ahead = set(), [DOCS / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        links = (link.partition("#")[0] for link in LINK.findall(prose(page)))
        ahead.extend((page.parent / link).resolve() for link in links if link and not re.match(r"[a-z]+:", link))
    assert [name(page) for page in PAGES if page not in seen] == []


def test_every_concept_that_a_finding_points_to_has_its_page():
    assert [concept for concept in CONCEPTS if not (ROOT / "docs" / "concepts" / f"{concept}.md").exists()] == []


def test_the_textbook_is_the_same_in_both_languages():
    assert sorted(page.stem for page in (DOCS / "concepts" / "zh").glob("*.md") if page.stem != "README") == TEXTBOOK


@pytest.mark.parametrize("concept", TEXTBOOK)
def test_a_page_of_the_textbook_claims_something_and_shows_it(concept):
    page, twin = DOCS / "concepts" / f"{concept}.md", DOCS / "concepts" / "zh" / f"{concept}.md"
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert any(promises(block) or re.search(r"^\s*assert ", block, re.MULTILINE) for block in blocks), (
        "nothing is asserted"
    )
    assert re.search(r"^figure = ", blocks[-1], re.MULTILINE), "the last block leaves no figure to take a picture of"
    twins = BLOCK.findall(twin.read_text(encoding="utf-8"))
    assert [without_comments(block) for block in twins] == [without_comments(block) for block in blocks]
    for paper in ("light", "dark"):
        picture = DOCS / "images" / "concepts" / f"{concept}-{paper}.png"
        assert picture.stat().st_size <= PICTURE_SIZE
        for text in (page.read_text(encoding="utf-8"), twin.read_text(encoding="utf-8")):
            assert f"images/concepts/{picture.name}" in text


EXAMPLES = [page for page in PAGES if page.parent.name != "zh" and BLOCK.search(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", EXAMPLES, ids=name)
def test_the_examples_of_a_page_run_and_give_what_they_say(page):
    space = {"__name__": "__main__"}
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        run_and_compare(block, name(page), space)


def test_an_example_that_says_something_untrue_is_caught():
    run_and_compare("n = 1\nn + 1  # → 2\n", "a page", {})
    with pytest.raises(AssertionError, match="a page: n"):
        run_and_compare("n = 1\nn  # → 2\n", "a page", {})


def run_and_compare(block, page, space):
    """Run a block statement by statement; what stands alone before `# → text` must read as that text."""
    promised = promises(block)
    for statement in ast.parse(block).body:
        said = promised.pop(statement.end_lineno, None)
        source = ast.get_source_segment(block, statement)
        if said is None:
            exec(compile(ast.Module([statement], []), page, "exec"), space)
            continue
        shown = io.StringIO()
        with show_as_text(shown), contextlib.redirect_stdout(shown):
            exec(compile(ast.Interactive([statement]), page, "single"), space)
        assert shown.getvalue() == said, f"{page}: {source}"
    assert promised == {}, f"{page}: a promise that belongs to no statement"


def without_comments(block):
    """The block as Python reads it: the Chinese twin of a page has the same, and need not be run again."""
    return ast.dump(ast.parse(block))


def promises(block):
    """What the comments `# → text` say, by line."""
    comments = (
        token for token in tokenize.generate_tokens(io.StringIO(block).readline) if token.type == tokenize.COMMENT
    )
    return {token.start[0]: token.string[4:] for token in comments if token.string.startswith("# → ")}


@contextlib.contextmanager
def show_as_text(file):
    """Show a statement's value as print would."""
    before = sys.displayhook
    sys.displayhook = lambda value: file.write(str(value))
    try:
        yield
    finally:
        sys.displayhook = before
