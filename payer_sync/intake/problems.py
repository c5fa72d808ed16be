"""The intake's own problems, beside those of every server process."""

from collections.abc import Mapping
from types import MappingProxyType

from eligibility.serving.problems import COMMON_PROBLEMS, ProblemText
from eligibility.wire.problems import Sentence

_OWN: Mapping[str, ProblemText] = {
    "insurer_unknown": ProblemText(
        403,
        "The insurer does not take part",
        Sentence(
            ja="この保険者は登録されていません。センターに連絡してください。",
            en="This insurer is not enrolled. Please contact the centre.",
        ),
        Sentence(
            ja="証明書の保険者番号がセンターに登録されていません。",
            en="The insurer number of the certificate is not enrolled at the centre.",
        ),
    ),
    "layout_unknown": ProblemText(
        422,
        "The layout is not known",
        Sentence(
            ja="この様式・版は受け付けていません。様式名と版を確かめてください。",
            en="This layout or edition is not taken. Please check its name and edition.",
        ),
        Sentence(
            ja="layout と edition の組が存在しません。",
            en="The pair of layout and edition does not exist.",
        ),
    ),
    "edition_not_yet": ProblemText(
        422,
        "The edition is not accepted yet",
        Sentence(
            ja="この版はまだ受け付けていません。今の版で送ってください。",
            en="This edition is not accepted yet. Please send the one in force.",
        ),
        Sentence(
            ja="次の版は練習環境だけが受け付けます。受付開始日は faults の expected にあります。",
            en="The next edition is taken by practice environments only; faults says from when it is accepted.",
        ),
    ),
    "edition_ended": ProblemText(
        422,
        "The edition is no longer accepted",
        Sentence(
            ja="この版の受付は終了しました。今の版で送ってください。",
            en="This edition is no longer accepted. Please send the one in force.",
        ),
        Sentence(
            ja="旧版の移行期間は終わりました。最終日は faults の expected にあります。",
            en="The overlap of the former edition is over; faults says which was its last day.",
        ),
    ),
    "file_too_large": ProblemText(
        413,
        "The file is too large",
        Sentence(
            ja="ファイルが上限を超えています。分けて送ってください。",
            en="The file exceeds the limit. Please send it in parts.",
        ),
        Sentence(
            ja="content_length が上限を超えています。差分ファイルに分けてください。",
            en="content_length exceeds the limit; split the file into deltas.",
        ),
    ),
    "wrong_offset": ProblemText(
        409,
        "The upload goes on elsewhere",
        Sentence(
            ja="送信の続きの位置が違います。もう一度送信してください。",
            en="The upload goes on at another place. Please push again.",
        ),
        Sentence(
            ja="offset は受信済みのバイト数(faults の expected)と一致させてください。",
            en="offset must equal the bytes received so far, which faults names as expected.",
        ),
    ),
    "chunk_beyond_end": ProblemText(
        422,
        "The chunk goes beyond the stated end",
        Sentence(
            ja="送信された内容が目録の長さを超えています。ファイルが変更されていないか確かめてください。",
            en="More was sent than the manifest states. Please check that the file has not changed.",
        ),
        Sentence(
            ja="offset と本文の長さの和が content_length を超えています。",
            en="offset plus the body's length exceeds content_length.",
        ),
    ),
    "upload_cut": ProblemText(
        400,
        "The upload was cut off",
        Sentence(ja="送信が途中で切れました。再開してください。", en="The upload was cut off. Please resume it."),
        Sentence(
            ja="本文の途中で切断されました。GET で受信済みバイト数を確かめて再開してください。",
            en="The connection ended within the body; GET the submission and resume at received_bytes.",
        ),
    ),
}

PROBLEMS: Mapping[str, ProblemText] = MappingProxyType({**COMMON_PROBLEMS, **_OWN})
