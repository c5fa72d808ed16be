"""Normal forms by which names and numbers are compared; what was written is always kept beside them.

The tables are data so that the bulk path can apply the very same ones to whole columns.
"""

import re
import unicodedata
from typing import Final

# Every dash that insurers, cards and keyboards put between digits, after NFKC.
HYPHENS: Final = ("‐", "‑", "‒", "–", "—", "―", "−", "ー", "ｰ", "─")
ONE_HYPHEN: Final = str.maketrans(dict.fromkeys(HYPHENS, "-"))

# Old and other forms of characters, each before the form it is compared as, so that the two are one name. Only forms of
# one and the same character stand here, never two that look alike: 斎 and 斉 are two families. NFKC leaves all of these
# apart; what it folds itself (U+FA19 to 神, U+FA1B to 福, …) is in none of the lists.
# The 康熙字典体 which the 常用漢字表 (Cabinet notification 2 of 2010) gives in parentheses.
_COMMON_USE: Final = """
    亞亜 惡悪 壓圧 圍囲 爲為 醫医 壹壱 稻稲 隱隠 營営 榮栄 衞衛 驛駅 圓円 緣縁 艷艶 鹽塩 奧奥 應応
    橫横 歐欧 毆殴 黃黄 溫温 穩穏 假仮 價価 畫画 會会 壞壊 懷懐 繪絵 槪概 擴拡 殼殻 覺覚 學学 嶽岳
    樂楽 渴渇 勸勧 卷巻 寬寛 歡歓 罐缶 觀観 關関 陷陥 歸帰 氣気 龜亀 僞偽 戲戯 犧犠 舊旧 據拠 擧挙
    虛虚 峽峡 挾挟 狹狭 鄕郷 曉暁 區区 驅駆 勳勲 薰薫 徑径 惠恵 揭掲 溪渓 經経 繼継 莖茎 螢蛍 輕軽
    鷄鶏 藝芸 擊撃 缺欠 儉倹 劍剣 圈圏 檢検 權権 獻献 硏研 縣県 險険 顯顕 驗験 嚴厳 效効 廣広 恆恒
    鑛鉱 號号 國国 黑黒 濟済 碎砕 齋斎 劑剤 櫻桜 雜雑 參参 慘惨 棧桟 蠶蚕 贊賛 殘残 絲糸 齒歯 兒児
    辭辞 濕湿 實実 寫写 釋釈 壽寿 收収 從従 澁渋 獸獣 縱縦 肅粛 處処 緖緒 敍叙 奬奨 將将 涉渉 燒焼
    稱称 證証 乘乗 剩剰 壤壌 孃嬢 條条 淨浄 狀状 疊畳 讓譲 釀醸 囑嘱 觸触 寢寝 愼慎 眞真 盡尽 圖図
    粹粋 醉酔 隨随 髓髄 數数 樞枢 瀨瀬 聲声 靜静 齊斉 攝摂 竊窃 專専 戰戦 淺浅 潛潜 纖繊 踐践 錢銭
    禪禅 曾曽 雙双 壯壮 搜捜 插挿 巢巣 爭争 瘦痩 總総 莊荘 裝装 騷騒 增増 臟臓 藏蔵 卽即 屬属 續続
    墮堕 體体 對対 帶帯 滯滞 臺台 瀧滝 擇択 澤沢 單単 擔担 膽胆 團団 彈弾 斷断 癡痴 遲遅 晝昼 蟲虫
    鑄鋳 廳庁 徵徴 聽聴 敕勅 鎭鎮 遞逓 鐵鉄 轉転 點点 傳伝 黨党 盜盗 燈灯 當当 鬭闘 德徳 獨独 讀読
    屆届 繩縄 貳弐 惱悩 腦脳 霸覇 廢廃 拜拝 賣売 麥麦 發発 髮髪 拔抜 晚晩 蠻蛮 祕秘 濱浜 甁瓶 拂払
    佛仏 倂併 竝並 變変 邊辺 瓣弁 辨弁 辯弁 步歩 穗穂 寶宝 襃褒 豐豊 飜翻 每毎 萬万 滿満 麵麺 默黙
    餠餅 戾戻 彌弥 藥薬 譯訳 豫予 餘余 與与 譽誉 搖揺 樣様 謠謡 來来 賴頼 亂乱 覽覧 龍竜 兩両 獵猟
    綠緑 壘塁 淚涙 勵励 禮礼 靈霊 齡齢 曆暦 歷歴 戀恋 鍊錬 爐炉 勞労 樓楼 郞郎 錄録 灣湾
"""
# Those besides that the tables of characters for names (戸籍法施行規則, 別表第二) give as forms of one character.
_NAME_TABLES: Final = """
    薗園 巖巌 堯尭 駈駆 晄晃 穰穣 嶋島 禱祷 禰祢 盃杯 檜桧 冨富 峯峰 萠萌 槇槙 埜野 遙遥 凉涼 祿禄
    亙亘 凜凛
"""
# Forms that JIS X 0208 and 0213 hold to be one character with the one in use, of which Unicode has both.
_ONE_IN_JIS: Final = """
    銳鋭 悅悦 閱閲 旣既 敎教 戶戸 吳呉 娛娯 昻昂 吿告 歲歳 產産 尙尚 淸清 靑青 稅税 說説 絕絶 脫脱
    內内 彥彦 姬姫
"""
# What civil registers write besides.
_REGISTERS: Final = """
    飮飲 鷗鴎 舘館 顏顔 𠮷吉 槗橋 𣘺橋 桒桑 羣群 髙高 嵜崎 碕崎 﨑崎 舍舎 秌秋 穐秋 晉晋 舩船 曺曹
    聰聡 邨村 嶌島 濵浜 渊淵 渕淵 邉辺 舖舗 栁柳 籔薮 藪薮 畧略 熙煕 瑤瑶
"""
NAME_VARIANTS: Final = {
    pair[0]: pair[1] for pairs in (_COMMON_USE, _NAME_TABLES, _ONE_IN_JIS, _REGISTERS) for pair in pairs.split()
}

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
# Regular expressions, in this order, and what they become: spellings of one sound, and vowels that only make the sound
# before them longer, so that トオル, トウル and トール are one spelling. ウ is first: it may follow a ヴ.
KANA_SPELLINGS: Final = (
    ("([ウクスツヌフムユルグズブプ])ウ+", r"\1"),
    ("ブア", "バ"), ("ブイ", "ビ"), ("ブエ", "ベ"), ("ブオ", "ボ"), ("ブユ", "ビユ"),
    ("([アカサタナハマヤラワガザダバパ])ア+", r"\1"),
    ("([イキシチニヒミリギジビピ])イ+", r"\1"),
    ("([エケセテネヘメレゲゼデベペ])[イエ]+", r"\1"),
    ("([オコソトノホモヨロゴゾドボポ])[ウオ]+", r"\1"),
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
    return "".join(folded.split()).translate(ONE_HYPHEN).upper()


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
