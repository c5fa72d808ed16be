"""Places of the synthetic nation: the real prefectures, with invented towns that no municipality bears."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Prefecture:
    """A prefecture: its name, the first digits of its postal codes, its share of the nation in tenths of a
    percent."""

    name: str
    postal_prefix: str
    weight: int

    @property
    def short(self) -> str:
        """The name without 都, 府 or 県."""
        return self.name if self.name == "北海道" else self.name[:-1]


_PREFECTURES: Final = """
北海道 06 41|青森県 03 10|岩手県 02 9|宮城県 98 18|秋田県 01 7|山形県 99 8|福島県 96 14|茨城県 31 23|栃木県 32 15
群馬県 37 15|埼玉県 33 58|千葉県 26 50|東京都 15 111|神奈川県 24 73|新潟県 95 17|富山県 93 8|石川県 92 9|福井県 91 6
山梨県 40 6|長野県 39 16|岐阜県 50 16|静岡県 42 29|愛知県 46 60|三重県 51 14|滋賀県 52 11|京都府 61 20|大阪府 54 70
兵庫県 65 43|奈良県 63 10|和歌山県 64 7|鳥取県 68 4|島根県 69 5|岡山県 70 15|広島県 73 22|山口県 75 10|徳島県 77 6
香川県 76 7|愛媛県 79 10|高知県 78 5|福岡県 81 41|佐賀県 84 6|長崎県 85 10|熊本県 86 14|大分県 87 9|宮崎県 88 8
鹿児島県 89 13|沖縄県 90 12
"""
PREFECTURES: Final = tuple(
    Prefecture(name, prefix, int(weight))
    for name, prefix, weight in (item.split() for item in _PREFECTURES.strip().replace("\n", "|").split("|"))
)
"""In the order of their codes: PREFECTURES[12] is Tokyo, whose code is 13."""

LARGEST_FIRST: Final = tuple(sorted(range(len(PREFECTURES)), key=lambda p: -PREFECTURES[p].weight))

# A first and a second part make the name of a municipality; both are chosen so that no real one comes out.
_CITY_FIRST: Final = (
    "朝凪", "夕凪", "青嶺", "瑞鳥", "月白", "星見", "霧立", "若葉", "鏡水", "銀杏", "海鳴", "風待", "雪割", "花筏",
    "鈴鳴", "竹綾", "藤波", "千草", "紅葉", "鶴翼", "虹架", "白露", "麦秋", "夏椿", "水鏡", "遠雷", "春霞", "秋津",
    "冬木", "山吹", "雲居", "露草", "桐生野", "蛍火", "常磐木", "天目", "萩乃", "葦辺", "糸遊", "花蓮", "月影",
    "星降", "朝霧", "夕映", "若鮎", "鈴蘭", "初雁", "深雪", "千鳥", "帆影",
)  # fmt: skip
_CITY_SECOND: Final = (
    "台", "浜", "原", "丘", "里", "谷", "沢", "野", "島", "橋", "川", "坂", "森", "岬", "泉", "瀬", "津", "峰",
    "窪", "塚", "畑", "代", "根", "平", "江", "口", "尾", "松", "井", "崎",
)  # fmt: skip
MUNICIPALITIES: Final = len(_CITY_FIRST) * len(_CITY_SECOND)

TOWNS: Final = (
    "本町", "中央", "栄町", "緑町", "旭町", "若葉町", "東町", "西町", "南町", "北町", "桜木町", "松ヶ丘",
    "梅ヶ枝町", "富士見", "日の出町", "幸町", "寿町", "末広町", "大手町", "元町", "新町", "港町", "川端町", "泉町",
    "錦町", "宮前", "寺町", "柳町", "美園", "希望が丘", "みどり台", "さつき野", "あおば", "つつじが丘", "一番町",
    "八幡町", "天神", "上町", "下町", "字仲原",
)  # fmt: skip

# ～ is what cp932 calls the wave dash; a UTF-8 file may hold 〜 in its place.
BUILDINGS: Final = (
    "コーポ若葉", "メゾン桜", "ハイツ緑", "グリーンハイツ", "サンコーポ", "パークハイム", "第二青葉荘",
    "フラワーマンション", "シティコート", "ヴィラ・ソレイユ", "メゾン～風～", "県営第１団地", "ガーデンテラス",
    "レジデンスⅡ番館", "ときわ荘",
)  # fmt: skip

COMPANIES: Final = (
    "みなと製鋼", "あおぞら電機", "北極星通信", "東雲化学", "やまびこ運輸", "こまどり百貨店", "白帆造船",
    "あさがお食品", "銀河計測", "大樹建設", "せせらぎ製薬", "ひばり出版", "南風航空", "かがやき光学", "つばめ鉄道",
    "たんぽぽ保険", "いぶき繊維", "くろしお水産", "まほろば銀行", "そよかぜ自動車",
)  # fmt: skip
COMPANY_KINDS: Final = ("", "グループ", "販売", "工業", "サービス", "ホールディングス", "連合", "システムズ")


def municipality(number: int, prefecture: int) -> str:
    """Return the name of the nation's n-th municipality: a ward in Tokyo, else a city, a town or a village."""
    second, first = divmod(number % MUNICIPALITIES, len(_CITY_FIRST))
    # A step that shares no factor with the list's length, so that neighbours in number do not look alike.
    name = _CITY_FIRST[first] + _CITY_SECOND[(second + first * 7) % len(_CITY_SECOND)]
    if PREFECTURES[prefecture].name == "東京都":
        return name + "区"
    return name + ("市", "市", "市", "町", "村")[number % 5]
