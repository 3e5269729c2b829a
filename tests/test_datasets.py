"""The bundled sample texts are what their README says."""

import re
from pathlib import Path

import pytest

DATASETS = Path(__file__).parents[1] / "datasets"
TEXTS = sorted(path.name for path in DATASETS.glob("*.txt"))

COUPLETS = [
    "国破山河在，城春草木深。",
    "白头搔更短，浑欲不胜簪。",
    "好雨知时节，当春乃发生。",
    "晓看红湿处，花重锦官城。",
    "红豆生南国，春来发几枝。",
    "愿君多采撷，此物最相思。",
    "慈母手中线，游子身上衣。",
    "谁言寸草心，报得三春晖。",
    "夜来风雨声，花落知多少。",
]


def read(name: str) -> str:
    return (DATASETS / name).read_bytes().decode("utf-8")


@pytest.mark.parametrize("name", TEXTS)
def test_each_line_is_one_text(name: str) -> None:
    text = read(name)
    lines = text.split("\n")
    assert lines.pop() == "", "the last line has no line end"
    assert all(lines), "a blank line"
    assert all(line == line.strip() for line in lines), "spaces or carriage returns around a line"
    assert len(set(lines)) == len(lines), "a line occurs twice"
    assert not text.startswith("\ufeff"), "a byte order mark"


def test_readme_lists_each_file_with_its_counts() -> None:
    rows = re.findall(r"^\| `(\S+)` \| ([\d,]+) \| ([\d,]+) \|", read("README.md"), re.MULTILINE)
    stated = {name: (int(n.replace(",", "")), int(m.replace(",", ""))) for name, n, m in rows}
    assert stated == {name: (read(name).count("\n"), len(read(name))) for name in TEXTS}


def test_cities_are_facts_in_the_english_alphabet() -> None:
    lines = read("cities.txt").splitlines()
    assert len(lines) == 6000
    odd = [line for line in lines if not re.fullmatch(r"[A-Za-z' .-]+, [A-Za-z' .-]+", line)]
    assert not odd
    assert {"Beijing, China", "Sao Paulo, Brazil", "Xi'an, China"} <= set(lines)


def test_cities_are_shuffled() -> None:
    # Sorted by size or by country, the two halves would hardly share their countries.
    countries = [line.rpartition(", ")[2] for line in read("cities.txt").splitlines()]
    middle = len(countries) // 2
    for country in ("China", "India", "Brazil", "United States"):
        share = countries[:middle].count(country) / countries.count(country)
        assert 0.4 < share < 0.6, country


def test_poetry_is_the_nine_couplets() -> None:
    assert read("chinese-poetry.txt").splitlines() == COUPLETS
