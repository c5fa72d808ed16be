"""Names of the synthetic nation: surnames and given names with their readings, commonest first.

Every list is a text of `written=reading` pairs. The order alone carries the frequency: weights follow the rank.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray


class Pool(IntEnum):
    """Which given names go together: Japanese ones by the era of birth, foreign ones by how they are written."""

    BEFORE_1945 = 0
    FROM_1945 = 1
    FROM_1970 = 2
    FROM_1990 = 3
    LATIN = 4
    KATAKANA = 5
    CHINESE = 6


POOL_STARTS: Final = (1945, 1970, 1990)  # years of birth with which the second, third and fourth pool begin

_SURNAMES: Final = """
佐藤=サトウ 鈴木=スズキ 高橋=タカハシ 田中=タナカ 伊藤=イトウ 渡辺=ワタナベ 山本=ヤマモト 中村=ナカムラ
小林=コバヤシ 加藤=カトウ 吉田=ヨシダ 山田=ヤマダ 佐々木=ササキ 山口=ヤマグチ 松本=マツモト 井上=イノウエ
木村=キムラ 林=ハヤシ 斎藤=サイトウ 清水=シミズ 山崎=ヤマザキ 森=モリ 池田=イケダ 橋本=ハシモト 阿部=アベ
石川=イシカワ 山下=ヤマシタ 中島=ナカジマ 石井=イシイ 小川=オガワ 前田=マエダ 岡田=オカダ 長谷川=ハセガワ
藤田=フジタ 後藤=ゴトウ 近藤=コンドウ 村上=ムラカミ 遠藤=エンドウ 青木=アオキ 坂本=サカモト 斉藤=サイトウ
福田=フクダ 太田=オオタ 西村=ニシムラ 藤井=フジイ 金子=カネコ 岡本=オカモト 藤原=フジワラ 三浦=ミウラ 中野=ナカノ
中川=ナカガワ 原田=ハラダ 松田=マツダ 竹内=タケウチ 小野=オノ 田村=タムラ 中山=ナカヤマ 和田=ワダ 石田=イシダ
森田=モリタ 上田=ウエダ 原=ハラ 内田=ウチダ 柴田=シバタ 酒井=サカイ 宮崎=ミヤザキ 横山=ヨコヤマ 高木=タカギ
安藤=アンドウ 宮本=ミヤモト 大野=オオノ 小島=コジマ 谷口=タニグチ 今井=イマイ 工藤=クドウ 高田=タカダ 増田=マスダ
丸山=マルヤマ 杉山=スギヤマ 村田=ムラタ 大塚=オオツカ 新井=アライ 小山=コヤマ 平野=ヒラノ 藤本=フジモト 河野=コウノ
上野=ウエノ 野口=ノグチ 武田=タケダ 松井=マツイ 千葉=チバ 岩崎=イワサキ 菅原=スガワラ 木下=キノシタ 久保=クボ
佐野=サノ 野村=ノムラ 松尾=マツオ 市川=イチカワ 菊地=キクチ 杉本=スギモト 古川=フルカワ 大西=オオニシ 島田=シマダ
水野=ミズノ 桜井=サクライ 高野=タカノ 渡部=ワタナベ 吉川=ヨシカワ 山内=ヤマウチ 西田=ニシダ 飯田=イイダ 菊池=キクチ
西川=ニシカワ 小松=コマツ 北村=キタムラ 安田=ヤスダ 五十嵐=イガラシ 川口=カワグチ 平田=ヒラタ 関=セキ 中田=ナカタ
久保田=クボタ 服部=ハットリ 東=ヒガシ 岩田=イワタ 土屋=ツチヤ 川崎=カワサキ 福島=フクシマ 本田=ホンダ 辻=ツジ
樋口=ヒグチ 秋山=アキヤマ 田口=タグチ 永井=ナガイ 山中=ヤマナカ 中西=ナカニシ 吉村=ヨシムラ 川上=カワカミ
石原=イシハラ 大橋=オオハシ 松岡=マツオカ 浜田=ハマダ 馬場=ババ 森本=モリモト 矢野=ヤノ 浅野=アサノ 松下=マツシタ
星野=ホシノ 大久保=オオクボ 吉岡=ヨシオカ 小池=コイケ 野田=ノダ 荒木=アラキ 大谷=オオタニ 熊谷=クマガイ
松浦=マツウラ 内藤=ナイトウ 黒田=クロダ 尾崎=オザキ 永田=ナガタ 川村=カワムラ 望月=モチヅキ 田辺=タナベ
松村=マツムラ 荒井=アライ 堀=ホリ 平井=ヒライ 大島=オオシマ 徳永=トクナガ 須藤=スドウ 本間=ホンマ 宇都宮=ウツノミヤ
一ノ瀬=イチノセ 東海林=ショウジ 二階堂=ニカイドウ 与那嶺=ヨナミネ 喜屋武=キャン 小比類巻=コヒルイマキ
長曽我部=チョウソカベ 勅使河原=テシガワラ
"""

# The civil register's spelling of some families: their share of those who bear the common spelling, in percent.
_VARIANTS: Final = (
    ("髙橋", "高橋", 12), ("渡邉", "渡辺", 14), ("渡邊", "渡辺", 12), ("𠮷田", "吉田", 6), ("齋藤", "斎藤", 35),
    ("山﨑", "山崎", 15), ("齊藤", "斉藤", 25), ("宮﨑", "宮崎", 15), ("髙木", "高木", 12), ("髙田", "高田", 12),
    ("岩﨑", "岩崎", 12), ("櫻井", "桜井", 25), ("髙野", "高野", 12), ("𠮷川", "吉川", 6), ("川﨑", "川崎", 12),
    ("𠮷村", "吉村", 6), ("濵田", "浜田", 15), ("濱田", "浜田", 20), ("𠮷岡", "吉岡", 6), ("黑田", "黒田", 4),
    ("尾﨑", "尾崎", 12), ("田邉", "田辺", 15), ("德永", "徳永", 20), ("大嶋", "大島", 10),
)  # fmt: skip

_FOREIGN_SURNAMES: Final = {
    Pool.LATIN: """ＮＧＵＹＥＮ=グエン ＴＲＡＮ=チャン ＳＡＮＴＯＳ=サントス ＳＩＬＶＡ=シルバ ＳＭＩＴＨ=スミス
        ＧＵＲＵＮＧ=グルン ＲＥＹＥＳ=レイエス ＫＵＭＡＲ=クマール ＪＯＨＮＳＯＮ=ジョンソン
        ＤＥ　ＬＡ　ＣＲＵＺ=デ　ラ　クルス ＶＡＮ　ＤＥＲ　ＢＥＲＧ=ファン　デル　ベルフ""",
    Pool.KATAKANA: """グエン=グエン ロドリゲス=ロドリゲス タマン=タマン オリヴェイラ=オリヴェイラ
        スティーヴンソン=スティーヴンソン""",
    Pool.CHINESE: "王=オウ 李=リ 張=チョウ 劉=リュウ 陳=チン 金=キム 朴=パク 楊=ヨウ",
}

_MEN: Final = {
    Pool.BEFORE_1945: """清=キヨシ 正=タダシ 茂=シゲル 勇=イサム 実=ミノル 三郎=サブロウ 一郎=イチロウ 武=タケシ
        進=ススム 博=ヒロシ 弘=ヒロシ 昭=アキラ 勝=マサル 正雄=マサオ 義雄=ヨシオ 和夫=カズオ 幸雄=ユキオ
        昭二=ショウジ 忠=タダシ 豊=ユタカ 清治=セイジ 武雄=タケオ 一男=カズオ 敏夫=トシオ 良雄=ヨシオ 久雄=ヒサオ
        光男=ミツオ 貞夫=サダオ 利夫=トシオ 喜一=キイチ 文雄=フミオ 辰男=タツオ""",
    Pool.FROM_1945: """隆=タカシ 誠=マコト 浩=ヒロシ 修=オサム 明=アキラ 稔=ミノル 浩二=コウジ 健一=ケンイチ
        和彦=カズヒコ 秀樹=ヒデキ 正樹=マサキ 博之=ヒロユキ 浩一=コウイチ 哲也=テツヤ 幸一=コウイチ 正人=マサト
        学=マナブ 聡=サトシ 茂樹=シゲキ 裕之=ヒロユキ 俊彦=トシヒコ 雅彦=マサヒコ 英明=ヒデアキ 義明=ヨシアキ
        信行=ノブユキ 達也=タツヤ 隆司=タカシ 勉=ツトム 徹=トオル 剛=ツヨシ 雅之=マサユキ 廣=ヒロシ""",
    Pool.FROM_1970: """大輔=ダイスケ 健太=ケンタ 翔太=ショウタ 拓也=タクヤ 直樹=ナオキ 健=タケシ 和也=カズヤ
        亮=リョウ 誠司=セイジ 雄太=ユウタ 裕太=ユウタ 洋平=ヨウヘイ 智也=トモヤ 祐介=ユウスケ 慎一=シンイチ
        恵介=ケイスケ 雄一=ユウイチ 貴之=タカユキ 賢治=ケンジ 俊介=シュンスケ 真一=シンイチ 康平=コウヘイ
        隼人=ハヤト 純=ジュン 圭=ケイ 孝太郎=コウタロウ 龍一=リュウイチ 匠=タクミ 崇=タカシ 章=アキラ 信也=シンヤ
        友和=トモカズ""",
    Pool.FROM_1990: """蓮=レン 湊=ミナト 陽翔=ハルト 樹=イツキ 大翔=ヒロト 悠真=ユウマ 颯太=ソウタ 陽向=ヒナタ
        朝陽=アサヒ 蒼=アオイ 翔=ショウ 悠斗=ユウト 優斗=ユウト 海斗=カイト 拓海=タクミ 健斗=ケント 大和=ヤマト
        駿=シュン 涼太=リョウタ 航=ワタル 律=リツ 碧=アオ 伊織=イオリ 新=アラタ 結翔=ユイト 奏=カナデ 壮真=ソウマ
        琉生=ルイ 晴=ハル 朔=サク 凪=ナギ 智樹=トモキ""",
    Pool.LATIN: """ＶＡＮ　ＡＮＨ=ヴァン　アン ＭＩＮＨ=ミン ＣＡＲＬＯＳ=カルロス
        ＪＯＳＥ　ＭＩＧＵＥＬ=ホセ　ミゲル ＤＡＶＩＤ=デイヴィッド ＲＡＪ=ラジ
        ＡＬＥＸＡＮＤＥＲ　ＷＩＬＬＩＡＭ　ＣＨＲＩＳＴＯＰＨＥＲ=アレクサンダー　ウィリアム　クリストファー""",
    Pool.KATAKANA: """マルコ=マルコ アントニオ=アントニオ ジェームズ=ジェームズ ビシャール=ビシャール
        ペドロ　エンリケ=ペドロ　エンリケ""",
    Pool.CHINESE: "偉=イ 強=キョウ 磊=ライ 俊傑=シュンケツ 建国=ケンコク 志豪=シゴウ",
}

_WOMEN: Final = {
    Pool.BEFORE_1945: """和子=カズコ 幸子=サチコ 節子=セツコ 洋子=ヨウコ 弘子=ヒロコ 美代子=ミヨコ 勝子=カツコ
        信子=ノブコ 美智子=ミチコ 京子=キョウコ 文子=フミコ 千代子=チヨコ 清子=キヨコ キヨ=キヨ ハル=ハル トミ=トミ
        フミ=フミ ヨシ=ヨシ 久子=ヒサコ 光子=ミツコ 敏子=トシコ 静子=シズコ 芳子=ヨシコ 良子=ヨシコ ミツ=ミツ
        貞子=サダコ 君子=キミコ 愛子=アイコ 富美子=フミコ 静江=シズエ 喜代=キヨ 智恵子=チエコ""",
    Pool.FROM_1945: """恵子=ケイコ 由美子=ユミコ 真由美=マユミ 明美=アケミ 直美=ナオミ 久美子=クミコ 智子=トモコ
        陽子=ヨウコ 裕子=ユウコ 純子=ジュンコ 順子=ジュンコ 典子=ノリコ 悦子=エツコ 由美=ユミ 恵美=エミ 香織=カオリ
        雅子=マサコ 浩美=ヒロミ 千恵子=チエコ 幸恵=ユキエ 眞理子=マリコ 真理=マリ 好美=ヨシミ 孝子=タカコ
        礼子=レイコ 和美=カズミ 美穂=ミホ 正美=マサミ 美紀=ミキ 房子=フサコ 紀子=ノリコ 惠子=ケイコ""",
    Pool.FROM_1970: """愛=アイ 美咲=ミサキ 麻衣=マイ 彩=アヤ 恵=メグミ 優子=ユウコ 香=カオリ 綾=アヤ 裕美=ヒロミ
        舞=マイ 千尋=チヒロ 麻美=アサミ 沙織=サオリ 真美=マミ 友美=トモミ 瞳=ヒトミ 亜希子=アキコ 理恵=リエ
        絵美=エミ 奈々=ナナ 春香=ハルカ 美香=ミカ 有紀=ユキ さやか=サヤカ 麻由=マユ 成美=ナルミ 佳奈=カナ 由佳=ユカ
        里美=サトミ 桂子=ケイコ 志穂=シホ めぐみ=メグミ""",
    Pool.FROM_1990: """陽菜=ヒナ 凛=リン 結菜=ユイナ 葵=アオイ 紬=ツムギ 結衣=ユイ 芽依=メイ 莉子=リコ
        さくら=サクラ 美月=ミヅキ 杏=アン 心春=コハル 咲良=サクラ 詩=ウタ 澪=ミオ 楓=カエデ 美桜=ミオ ひなた=ヒナタ
        七海=ナナミ 未来=ミク 優奈=ユウナ 彩花=アヤカ 萌=モエ 琴音=コトネ 遥=ハルカ 柚希=ユズキ 真央=マオ 里桜=リオ
        百花=モモカ 千夏=チナツ 凜=リン 小梅=コウメ""",
    Pool.LATIN: """ＴＨＩ　ＬＡＮ=ティ　ラン ＭＡＲＩＡ=マリア ＡＮＡ=アナ ＳＩＴＡ=シタ ＥＭＩＬＹ=エミリー
        ＭＡＲＩＡ　ＦＥＲＮＡＮＤＡ　ＧＵＡＤＡＬＵＰＥ=マリア　フェルナンダ　グアダルーペ""",
    Pool.KATAKANA: """ティ　ハイン=ティ　ハイン ソフィア=ソフィア ジュリアナ=ジュリアナ アニタ=アニタ
        キャサリン　エリザベス=キャサリン　エリザベス""",
    Pool.CHINESE: "芳=ホウ 麗=レイ 秀英=シュウエイ 静怡=セイイ 佳玲=カレイ 美玲=ビレイ",
}


@dataclass(frozen=True, slots=True)
class Surname:
    """A family's name as the civil register has it, with the spelling that older systems use instead."""

    registered: str
    common: str
    kana: str
    weight: float
    pool: Pool | None = None  # of the given names it goes with; None if those of the bearer's era

    @property
    def cp932(self) -> str:
        """The spelling of a system that knows the vendors' extensions of Shift_JIS."""
        return self.registered if _encodable(self.registered, "cp932") else self.common

    @property
    def plain(self) -> str:
        """The spelling of a system that knows the characters of JIS X 0208 only."""
        return self.registered if _encodable(self.registered, "shift_jis") else self.common

    @property
    def lost(self) -> str:
        """The spelling in which a character was lost on the way; the plain one where none can be."""
        return "".join(c if _encodable(c, "shift_jis") else "●" for c in self.registered)


@dataclass(frozen=True, slots=True)
class GivenNames:
    """All given names in one list; those of a sex and a pool are found by their group's number."""

    written: tuple[str, ...]
    kana: tuple[str, ...]
    edges: NDArray[np.float64]  # of name i: its group's number and the share of the group's persons up to it

    @staticmethod
    def group(female: NDArray[np.int64], pool: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the group's number; `female` is 0 or 1."""
        return female * len(Pool) + pool

    def pick(self, group: NDArray[np.int64], share: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the numbers of the names at a share of 0 to 1 within the groups."""
        return np.searchsorted(self.edges, group + share, side="right").astype(np.int64)


def surnames(foreign_share: float) -> tuple[Surname, ...]:
    """Return the Japanese surnames, and the foreign ones with a share of all."""
    variants = {common: [(r, percent) for r, c, percent in _VARIANTS if c == common] for _, common, _ in _VARIANTS}
    found: list[Surname] = []
    for rank, (written, kana) in enumerate(_pairs(_SURNAMES)):
        weight = (rank + 8.0) ** -0.9
        rarer = variants.get(written, [])
        found.append(Surname(written, written, kana, weight * (1 - sum(p for _, p in rarer) / 100)))
        found += (Surname(registered, written, kana, weight * percent / 100) for registered, percent in rarer)
    foreign = [(pool, *pair) for pool, text in _FOREIGN_SURNAMES.items() for pair in _pairs(text)]
    each = sum(s.weight for s in found) * foreign_share / (1 - foreign_share) / len(foreign)
    return (*found, *(Surname(written, written, kana, each, pool) for pool, written, kana in foreign))


def given_names() -> GivenNames:
    """Return the given names of both sexes and every pool."""
    written: list[str] = []
    kana: list[str] = []
    edges: list[float] = []
    for group, text in enumerate([*(_MEN[p] for p in Pool), *(_WOMEN[p] for p in Pool)]):
        pairs = _pairs(text)
        weights = np.array([1 / (rank + 4) for rank in range(len(pairs))])
        written += (name for name, _ in pairs)
        kana += (reading for _, reading in pairs)
        edges += (group + np.cumsum(weights) / weights.sum()).tolist()
        edges[-1] = group + 1.0
    return GivenNames(tuple(written), tuple(kana), np.array(edges))


def half_width_kana(katakana: str) -> str:
    """Return full-width katakana in half width, as the field writes readings: ダ becomes ﾀﾞ."""
    half = _half_widths()
    return "".join(half[character] for character in katakana)


def _pairs(text: str) -> list[tuple[str, str]]:
    # Not str.split(), which would also part a name at its full-width space.
    items = [item.partition("=") for item in re.split(r"[ \n]+", text) if item]
    return [(written, half_width_kana(reading)) for written, _, reading in items]


def _encodable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


@cache
def _half_widths() -> dict[str, str]:
    half = {unicodedata.normalize("NFKC", chr(c)): chr(c) for c in range(0xFF66, 0xFF9E)}
    for mark, combining in (("ﾞ", "\u3099"), ("ﾟ", "\u309a")):
        for whole, narrow in list(half.items()):
            marked = unicodedata.normalize("NFC", whole + combining)
            if len(marked) == 1:
                half[marked] = narrow + mark
    return half | {"　": " "}
