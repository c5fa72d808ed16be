"""Normal forms by which names and numbers are compared; what was written is always kept beside them.

The tables are data so that the bulk path can apply the very same ones to whole columns.
"""

import unicodedata
from typing import Final

# Every dash that insurers, cards and keyboards put between digits, after NFKC.
HYPHENS: Final = ("‐", "‑", "‒", "–", "—", "―", "−", "ー", "ｰ", "─")

# Variant characters of names, each with the character they are compared as. The first of a pair is how a civil
# register may write it, the second what most systems hold. NFKC leaves all of these apart.
NAME_VARIANTS: Final = {
    "髙": "高", "﨑": "崎", "嵜": "崎", "碕": "崎", "邊": "辺", "邉": "辺", "澤": "沢", "齋": "斎", "齊": "斉",
    "濵": "浜", "濱": "浜", "德": "徳", "廣": "広", "國": "国", "嶋": "島", "嶌": "島", "𠮷": "吉",
    "櫻": "桜", "瀨": "瀬", "淺": "浅", "槇": "槙", "會": "会", "關": "関", "眞": "真", "萬": "万", "龍": "竜",
    "瀧": "滝", "惠": "恵", "榮": "栄", "圓": "円", "藏": "蔵", "龜": "亀", "條": "条", "壽": "寿", "彌": "弥",
    "曾": "曽", "增": "増", "縣": "県", "鐵": "鉄", "鷗": "鴎", "舘": "館", "冨": "富", "峯": "峰", "渕": "淵",
    "藪": "薮", "籔": "薮", "槗": "橋", "桒": "桑", "栁": "柳", "𣘺": "橋", "緖": "緒",
    "靜": "静", "豐": "豊", "與": "与", "實": "実", "佛": "仏", "聰": "聡", "黑": "黒", "顯": "顕", "敎": "教",
}  # fmt: skip


def name_key(name: str) -> str:
    """Return the form in which two spellings of one name are equal: width, spaces and variant characters folded."""
    folded = unicodedata.normalize("NFKC", name)
    return "".join(NAME_VARIANTS.get(c, c) for c in folded if not _ignored(c)).casefold()


def number_key(text: str) -> str:
    """Return the form in which two spellings of one symbol or number are equal: half width, one hyphen, no spaces."""
    folded = unicodedata.normalize("NFKC", text)
    return "".join("-" if c in HYPHENS else c for c in folded if not c.isspace()).upper()


def address_key(address: str) -> str:
    """Return the form in which two spellings of one address are equal; 丁目, 番地 and 号 count as hyphens."""
    key = number_key(address)
    for counter in ("丁目", "番地の", "番地", "番", "号"):
        key = key.replace(counter, "-")
    return key.rstrip("-")


def _ignored(character: str) -> bool:
    # Spaces, and the selectors that choose between glyphs of one and the same character (葛 + U+E0100).
    return character.isspace() or 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF
