"""Countries as people write them: an ISO code of two letters, and the common other codes and names of one."""

import unicodedata
from functools import cache, lru_cache

from phonenumbers import SUPPORTED_REGIONS

_OTHER = {
    "UK": "GB", "EL": "GR", "USA": "US", "GBR": "GB", "DEU": "DE", "FRA": "FR", "ITA": "IT", "ESP": "ES", "CHE": "CH",
    "AUT": "AT", "NLD": "NL", "BEL": "BE", "CAN": "CA", "AUS": "AU", "NZL": "NZ", "MEX": "MX", "BRA": "BR", "ARG": "AR",
    "IND": "IN", "CHN": "CN", "JPN": "JP", "KOR": "KR", "SWE": "SE", "NOR": "NO", "DNK": "DK", "FIN": "FI", "POL": "PL",
    "PRT": "PT", "IRL": "IE", "CZE": "CZ", "HUN": "HU", "ROU": "RO", "GRC": "GR", "TUR": "TR", "RUS": "RU", "UKR": "UA",
    "ZAF": "ZA", "ISR": "IL", "ARE": "AE", "SAU": "SA", "SGP": "SG", "HKG": "HK", "LUX": "LU", "LIE": "LI",
    "U.S.": "US", "U.S.A.": "US", "UNITED STATES OF AMERICA": "US", "ENGLAND": "GB", "SCOTLAND": "GB", "WALES": "GB",
    "NORTHERN IRELAND": "GB", "GREAT BRITAIN": "GB", "HOLLAND": "NL", "CZECH REPUBLIC": "CZ",
}  # fmt: skip
_NAME_MAX = 60


@lru_cache(maxsize=1_024)
def region_of(written: str | None) -> str | None:
    """The ISO 3166-1 alpha-2 code of a country, or None for one that nobody knows."""
    if written is None or not written.strip() or len(written) > _NAME_MAX:
        return None
    name = unicodedata.normalize("NFKC", written).strip().upper()
    code = _OTHER.get(name, name)
    if code in SUPPORTED_REGIONS:
        return code
    return _names().get(name)


@cache
def _names() -> dict[str, str]:
    """Names of countries in the languages that the phone library knows, where only one country is called so."""
    # All of the library's places come with it, which takes longer than the rest of what a command loads at its start.
    from phonenumbers.geodata.locale import LOCALE_DATA

    found: dict[str, str | None] = {}
    for code, names in LOCALE_DATA.items():
        for name in names.values():
            if not name.startswith("*"):
                key = unicodedata.normalize("NFKC", name).upper()
                found[key] = code if found.get(key, code) == code else None
    return {name: code for name, code in found.items() if code is not None and code in SUPPORTED_REGIONS}
