"""Normal forms by which names and numbers are compared; what was written is always kept beside them.

The tables are data so that the bulk path can apply the very same ones to whole columns.
"""

import re
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
    "亞": "亜", "惡": "悪", "壓": "圧", "圍": "囲", "爲": "為", "醫": "医", "壹": "壱", "稻": "稲", "營": "営",
    "衞": "衛", "驛": "駅", "艷": "艶", "鹽": "塩", "奧": "奥", "應": "応", "橫": "横", "歐": "欧", "溫": "温",
    "價": "価", "畫": "画", "繪": "絵", "學": "学", "樂": "楽", "覺": "覚", "觀": "観", "寬": "寛", "歸": "帰",
    "氣": "気", "舊": "旧", "峽": "峡", "狹": "狭", "曉": "暁", "勳": "勲", "薰": "薫", "徑": "径", "溪": "渓",
    "莖": "茎", "經": "経", "螢": "蛍", "藝": "芸", "檢": "検", "權": "権", "嚴": "厳",
    "恆": "恒", "號": "号", "碎": "砕", "濟": "済", "雜": "雑", "參": "参", "絲": "糸", "兒": "児",
    "濕": "湿", "釋": "釈", "收": "収", "從": "従", "澁": "渋", "祕": "秘", "處": "処", "敍": "叙", "將": "将",
    "燒": "焼", "乘": "乗", "淨": "浄", "剩": "剰", "疊": "畳", "穰": "穣", "讓": "譲", "釀": "醸", "觸": "触",
    "愼": "慎", "盡": "尽", "隨": "随", "髓": "髄", "數": "数", "聲": "声", "攝": "摂", "專": "専", "戰": "戦",
    "纖": "繊", "禪": "禅", "曺": "曹", "裝": "装", "搜": "捜", "總": "総", "莊": "荘", "卽": "即", "屬": "属",
    "續": "続", "對": "対", "體": "体", "帶": "帯", "臺": "台", "單": "単", "團": "団", "遲": "遅", "晝": "昼",
    "蟲": "虫", "鑄": "鋳", "廳": "庁", "聽": "聴", "鎭": "鎮", "轉": "転", "傳": "伝", "燈": "灯", "當": "当",
    "黨": "党", "獨": "独", "讀": "読", "拜": "拝", "發": "発", "賣": "売", "麥": "麦", "拔": "抜", "晚": "晩",
    "蠻": "蛮", "甁": "瓶", "寶": "宝", "豫": "予", "餘": "余", "譽": "誉", "搖": "揺", "樣": "様",
    "謠": "謡", "來": "来", "賴": "頼", "亂": "乱", "覽": "覧", "凉": "涼", "綠": "緑", "壘": "塁", "勵": "励",
    "禮": "礼", "靈": "霊", "齡": "齢", "戀": "恋", "爐": "炉", "勞": "労", "樓": "楼", "祿": "禄", "步": "歩",
    "飜": "翻", "每": "毎", "槪": "概", "鄕": "郷", "錄": "録", "舖": "舗", "彥": "彦", "瑤": "瑶",
    "堯": "尭", "巖": "巌", "遙": "遥", "凜": "凛", "熙": "煕", "彈": "弾", "鷄": "鶏", "埜": "野",
    "邨": "村", "嶽": "岳", "畧": "略", "羣": "群", "秌": "秋", "穐": "秋", "舩": "船",
    "鬭": "闘", "辨": "弁", "瓣": "弁", "辯": "弁", "寢": "寝", "圖": "図", "壯": "壮",
}  # fmt: skip

# Kana by the sound they stand for, small ones as large ones; ヴァ becomes ブア, and so does バ below.
_SOUNDS: Final = dict(
    zip(
        "ァィゥェォッャュョヮヵヶヰヱヲヂヅヴ",
        ("ア", "イ", "ウ", "エ", "オ", "ツ", "ヤ", "ユ", "ヨ", "ワ", "カ", "ケ", "イ", "エ", "オ", "ジ", "ズ", "ブ"),
        strict=True,
    )
)
# What stands between or after kana and is no sound; a long vowel may be marked or not.
_SILENT: Final = frozenset((*HYPHENS, *"-・.,、'’()=゠"))
# Regular expressions, in this order, and what they become: spellings of one sound, then vowels that only make the
# sound before them longer, so that トオル, トウル and トール are one spelling.
KANA_SPELLINGS: Final = (
    ("ブア", "バ"), ("ブイ", "ビ"), ("ブエ", "ベ"), ("ブオ", "ボ"), ("ブユ", "ビユ"),
    ("([オコソトノホモヨロゴゾドボポ])[ウオ]+", r"\1"),
    ("([ウクスツヌフムユルグズブプ])ウ+", r"\1"),
    ("([エケセテネヘメレゲゼデベペ])[イエ]+", r"\1"),
)  # fmt: skip
_SPELLINGS: Final = tuple((re.compile(pattern), sound) for pattern, sound in KANA_SPELLINGS)


def name_key(name: str) -> str:
    """Return the form in which two spellings of one name are equal: width, spaces and variant characters folded."""
    folded = unicodedata.normalize("NFKC", name)
    return "".join(NAME_VARIANTS.get(c, c) for c in folded if not _ignored(c)).casefold()


def kana_sounds(text: str) -> str:
    """Return what each character sounds like: the step of `kana_key` after NFKC that looks at one at a time."""
    return "".join(_sound(c) for c in text if not _ignored(c) and c not in _SILENT).casefold()


def kana_key(kana: str) -> str:
    """Return the form in which two spellings of one name in kana are equal.

    Width, spaces, hiragana, small kana, ヴ, and how a long vowel is written make no difference.
    """
    key = kana_sounds(unicodedata.normalize("NFKC", kana))
    for spelling, sound in _SPELLINGS:
        key = spelling.sub(sound, key)
    return key


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


def _sound(character: str) -> str:
    katakana = chr(ord(character) + 0x60) if "ぁ" <= character <= "ゖ" else character
    return _SOUNDS.get(katakana, katakana)


def _ignored(character: str) -> bool:
    # Spaces, and the selectors that choose between glyphs of one and the same character (葛 + U+E0100).
    return character.isspace() or 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF
