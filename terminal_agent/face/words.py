"""What the screens say about a face, in Japanese and English; never how alike two faces are."""

from enum import StrEnum
from typing import Final

from eligibility.wire.problems import Sentence


class Hint(StrEnum):
    """What the person before the camera should do; shown on the patient's screen."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    COME_CLOSER = "come_closer"
    HOLD_HEAD_UPRIGHT = "hold_head_upright"
    LOOK_STRAIGHT = "look_straight"
    LOOK_LEVEL = "look_level"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    BLURRED = "blurred"
    KEEP_STILL = "keep_still"
    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"

    @property
    def words(self) -> Sentence:
        """The hint as a sentence."""
        return HINTS[self]


def _say(ja: str, en: str) -> Sentence:
    return Sentence(ja=ja, en=en)


HINTS: Final[dict[Hint, Sentence]] = {
    Hint.NO_FACE: _say("カメラのほうを見てください。", "Please look at the camera."),
    Hint.SEVERAL_FACES: _say("お一人ずつ、カメラの前にお立ちください。", "One person at a time, please."),
    Hint.COME_CLOSER: _say("もう少し近づいてください。", "Please come a little closer."),
    Hint.HOLD_HEAD_UPRIGHT: _say("お顔をまっすぐに立ててください。", "Please hold your head upright."),
    Hint.LOOK_STRAIGHT: _say("正面を向いてください。", "Please look straight ahead."),
    Hint.LOOK_LEVEL: _say("あごの高さを正面に合わせてください。", "Please hold your chin level."),
    Hint.TOO_DARK: _say("明るいほうへお顔を向けてください。", "It is too dark. Please turn towards the light."),
    Hint.TOO_BRIGHT: _say("光が強すぎます。少し位置を変えてください。", "It is too bright. Please move a little."),
    Hint.BLURRED: _say("はっきり写りません。そのままお待ちください。", "The picture is blurred. Please wait a moment."),
    Hint.KEEP_STILL: _say("そのまま動かずにお待ちください。", "Please keep still."),
    Hint.TURN_LEFT: _say("ゆっくり左を向いてください。", "Please turn your head slowly to your left."),
    Hint.TURN_RIGHT: _say("ゆっくり右を向いてください。", "Please turn your head slowly to your right."),
}

# Neither can be detected (docs/face.md), so this is always on the screen while the camera is.
TAKE_OFF: Final = _say("マスク・サングラスを外してください。", "Please take off mask and sunglasses.")
BEFORE_CAMERA: Final = _say(
    "カメラでお顔を写し、カードの写真と見比べます。画像は保存も送信もしません。終わるとすぐに消えます。",
    "The camera compares your face with the photo on your card. Pictures are not kept and not sent."
    " They are gone when this is done.",
)


class Step(StrEnum):
    """What comes next in a visit."""

    CONTINUE = "continue"  # more frames are wanted
    ACCEPT = "accept"  # the face alone is enough
    CONFIRM = "confirm"  # alike, and staff must confirm it
    RETRY = "retry"  # once more
    CHOOSE = "choose"  # PIN or staff, as the patient likes
    STAFF = "staff"  # staff look; there is no PIN to choose

    @property
    def words(self) -> Sentence:
        """What the patient's screen says. It is the same for every reason, so that it tells an attacker nothing."""
        return STEPS[self]


STEPS: Final[dict[Step, Sentence]] = {
    Step.CONTINUE: _say("お顔を確認しています。", "Looking at your face."),
    Step.ACCEPT: _say("お顔を確認しました。", "Your face was confirmed."),
    Step.CONFIRM: _say("受付の者が確認します。少しお待ちください。", "Reception will confirm it. One moment, please."),
    Step.RETRY: _say("もう一度お顔を写します。", "Let us try once more."),
    Step.CHOOSE: _say(
        "顔では確認できませんでした。暗証番号か、受付での確認をお選びください。",
        "Your face could not be used today. Please choose your PIN, or reception.",
    ),
    Step.STAFF: _say(
        "顔では確認できませんでした。受付で確認します。",
        "Your face could not be used today. Reception will help you.",
    ),
}


class Reason(StrEnum):
    """Why a step was chosen; for staff and the log, never for the patient's screen."""

    LOOKING = "looking"
    ALIKE = "alike"
    UNCALIBRATED = "uncalibrated"
    PHOTO_UNVERIFIED = "photo_unverified"
    NOT_ALIKE = "not_alike"
    CLEARLY_DIFFERENT = "clearly_different"
    NO_GOOD_PICTURES = "no_good_pictures"
    SAME_PICTURE = "same_picture"
    PERSON_SWAPPED = "person_swapped"
    HEAD_NOT_TURNED = "head_not_turned"
    YOUNG_CHILD = "young_child"
    PHOTO_UNUSABLE = "photo_unusable"
    EXPIRED = "expired"

    @property
    def words(self) -> Sentence:
        """The reason as staff read it."""
        return REASONS[self]


REASONS: Final[dict[Reason, Sentence]] = {
    Reason.LOOKING: _say("撮影中です。", "Pictures are being taken."),
    Reason.ALIKE: _say("カードの写真と一致しました。", "Matches the card's photo."),
    Reason.UNCALIBRATED: _say(
        "写真と似ていますが、この照合モデルは校正されていません。写真と見比べて確認してください。",
        "Looks alike, but this model has not been calibrated. Compare with the photo and confirm.",
    ),
    Reason.PHOTO_UNVERIFIED: _say(
        "写真と似ていますが、写真が本物のカードのものか確かめられません。カードの現物と見比べてください。",
        "Looks alike, but the photo's signature cannot be verified. Compare with the card itself.",
    ),
    Reason.NOT_ALIKE: _say("写真と十分に一致しません。", "Not alike enough."),
    Reason.CLEARLY_DIFFERENT: _say(
        "写真と大きく異なります。写真とお顔を見比べてください。", "Quite unlike the photo. Please compare the two."
    ),
    Reason.NO_GOOD_PICTURES: _say("照合に使える画像が撮れませんでした。", "No picture was good enough to compare."),
    Reason.SAME_PICTURE: _say(
        "カメラの画像が動いていません。カメラの前を確かめてください。",
        "The camera shows a picture that does not change. Look at what is before it.",
    ),
    Reason.PERSON_SWAPPED: _say("途中で人が入れ替わった可能性があります。", "Somebody else may have stepped in."),
    Reason.HEAD_NOT_TURNED: _say("指示どおりの向きを確認できませんでした。", "The head was not turned as asked."),
    Reason.YOUNG_CHILD: _say("小さなお子さまは受付で確認します。", "A young child is confirmed by staff."),
    Reason.PHOTO_UNUSABLE: _say("カードの写真を照合に使えません。", "The card's photo cannot be compared."),
    Reason.EXPIRED: _say("時間が過ぎたため画像を消しました。", "Time ran out and the pictures were dropped."),
}
