"""The API's table of problems: for every code its status and the two sentences, in both languages."""

from collections.abc import Mapping

from eligibility.serving.problems import COMMON_PROBLEMS, ProblemText
from eligibility.wire.problems import Sentence


def _row(status: int, title: str, staff: tuple[str, str], vendor: tuple[str, str]) -> ProblemText:
    return ProblemText(status, title, Sentence(ja=staff[0], en=staff[1]), Sentence(ja=vendor[0], en=vendor[1]))


_TRY_AGAIN = (
    "もう一度カードを置いて、やり直してください。",
    "Please place the card again and start over.",
)
_USE_NUMBER = (
    "このカードでは確認できません。資格確認書などの番号で確認してください。",
    "This card cannot be used. Please check by the number on the insurance document.",
)

PROBLEMS: Mapping[str, ProblemText] = {
    **COMMON_PROBLEMS,
    "challenge_malformed": _row(
        401,
        "The challenge is malformed",
        _TRY_AGAIN,
        (
            "challenge はこのセンターが発行した値をそのまま送ってください。",
            "Send the challenge exactly as it was issued.",
        ),
    ),
    "challenge_forged": _row(
        401,
        "The challenge is not this terminal's",
        _TRY_AGAIN,
        (
            "challenge はこのセンターがこの端末に発行したものではありません。端末ごとに取得してください。",
            "This centre did not issue the challenge to this terminal; each terminal fetches its own.",
        ),
    ),
    "challenge_expired": _row(
        401,
        "The challenge has expired",
        _TRY_AGAIN,
        (
            "challenge の有効期間(120秒)が過ぎています。新しく取得してください。",
            "The challenge's 120 s are over; fetch a new one.",
        ),
    ),
    "challenge_replayed": _row(
        401,
        "The challenge was used before",
        _TRY_AGAIN,
        (
            "challenge は一度しか使えません。新しいものに署名し直してください。",
            "A challenge is good for one signature; sign a new one.",
        ),
    ),
    "certificate_malformed": _row(
        401,
        "The certificate cannot be read",
        _USE_NUMBER,
        (
            "certificate は利用者証明用電子証明書の DER でなければなりません。",
            "certificate must be the DER of the user-authentication certificate.",
        ),
    ),
    "certificate_profile": _row(
        401,
        "The certificate is not for user authentication",
        _USE_NUMBER,
        (
            "署名用ではなく、利用者証明用電子証明書(証明書ポリシー …8.5.1.3.30)を送ってください。",
            "Send the user-authentication certificate (policy …8.5.1.3.30), not the signature certificate.",
        ),
    ),
    "issuer_unknown": _row(
        401,
        "The certificate's issuer is not trusted",
        _USE_NUMBER,
        ("発行者が登録済みの認証局(鍵識別子)ではありません。", "The issuer's key is none of the pinned authorities'."),
    ),
    "certificate_expired": _row(
        401,
        "The certificate has expired",
        (
            "電子証明書の有効期限が切れています。市区町村の窓口で更新が必要です。資格確認書などの番号で確認してください。",
            "The card's certificate has expired and needs renewal at the municipal office. Please check by number.",
        ),
        (
            "有効期限と猶予期間(満了月の3か月後の末日)が過ぎています。",
            "The certificate and its grace (to the end of the third month after) are over.",
        ),
    ),
    "certificate_not_yet_valid": _row(
        401,
        "The certificate is not valid yet",
        _USE_NUMBER,
        ("証明書の有効期間が始まっていません。", "The certificate's validity has not begun."),
    ),
    "certificate_revoked": _row(
        401,
        "The certificate is revoked",
        (
            "このカードの電子証明書は失効しています。市区町村の窓口で再発行が必要です。資格確認書などの番号で確認してください。",
            "The card's certificate is revoked; a new one comes from the municipal office. Please check by number.",
        ),
        ("証明書は失効しています。", "The certificate is on its issuer's revocation list."),
    ),
    "revocation_unknown": _row(
        503,
        "The certificate's revocation cannot be judged now",
        (
            "カードの失効情報を確認できません。少し待つか、資格確認書などの番号で確認してください。",
            "Whether the card is revoked cannot be told now. Please wait a little, or check by number.",
        ),
        (
            "失効リストが1時間以上更新されていません。番号による確認は使えます。",
            "The revocation list is older than an hour; checks by number still work.",
        ),
    ),
    "signature_refused": _row(
        401,
        "The signature does not hold",
        _TRY_AGAIN,
        (
            '署名は "eligibility-verification/v1" と challenge の連結に対する RSASSA-PKCS1-v1_5 (SHA-256) です。',
            'Sign "eligibility-verification/v1" followed by the challenge, RSASSA-PKCS1-v1_5 with SHA-256.',
        ),
    ),
    "card_not_registered": _row(
        404,
        "The card is not registered yet",
        (
            "このカードは健康保険証としての利用登録がまだです。この端末で登録できます。",
            "This card is not yet registered for health insurance. It can be registered on this terminal.",
        ),
        (
            "POST /v1/card-registrations で登録してから、もう一度照会してください。",
            "Register it by POST /v1/card-registrations, then ask again.",
        ),
    ),
    "method_not_by_card": _row(
        422,
        "The method is not one of a card",
        ("確認方法を選び直してください。", "Please choose the method again."),
        ("method は pin, face, visual のいずれかです。", "method is one of pin, face, visual."),
    ),
    "known_in_future": _row(
        422,
        "known_at lies ahead",
        ("日時を確かめてください。", "Please check the date and time."),
        (
            "known_at に未来の時刻は指定できません。端末の時計も確認してください。",
            "known_at may not lie ahead; check the clock, too.",
        ),
    ),
    "holder_not_found": _row(
        403,
        "Nobody insured matches the card's holder",
        (
            "カードの氏名・生年月日・性別に一致する資格が見つかりません。保険者への届出状況を確認してください。",
            "No insured person matches the card's name, birth date and sex. Please ask the insurer.",
        ),
        (
            "氏名・生年月日・性別が一致する加入者がいません。登録していません。",
            "No insured person agrees in name, birth date and sex. Nothing was registered.",
        ),
    ),
    "holder_ambiguous": _row(
        403,
        "Several insured persons match the card's holder",
        (
            "一致する方が複数いるため登録できません。資格確認書などの番号で確認し、保険者に連絡してください。",
            "Several persons match, so the card was not registered. Please check by number and tell the insurer.",
        ),
        (
            "一致する加入者が複数あり、住所でも一人に定まりません。登録していません。",
            "Several match and the address does not decide. Nothing was registered.",
        ),
    ),
    "card_registered_elsewhere": _row(
        409,
        "The card belongs to another person",
        (
            "このカードは別の方の資格に登録されています。保険者に連絡してください。",
            "This card is registered to another person. Please tell the insurer.",
        ),
        (
            "登録済みの相手と一致しません。上書きはしていません。",
            "It is registered to someone else; nothing was overwritten.",
        ),
    ),
    "idempotency_key_reused": _row(
        422,
        "The idempotency key stands for another request",
        ("同じ受付番号で別の内容が送られました。もう一度やり直してください。", "Please start over."),
        (
            "Idempotency-Key は内容の異なる要求に再利用できません。要求ごとに新しい UUID を作ってください。",
            "An Idempotency-Key never stands for two different requests; make a new UUID for each.",
        ),
    ),
    "patient_not_checked": _row(
        404,
        "Nobody this institution has checked carries the number",
        (
            "この番号の方の資格確認がまだです。先に資格を確認してください。",
            "Nobody with this number has been checked here yet. Please check eligibility first.",
        ),
        (
            "照会番号は、この医療機関が一度でも資格を確認した方にだけ登録できます。",
            "A reference number can only be given to a person this institution has checked at least once.",
        ),
    ),
    "patient_ambiguous": _row(
        409,
        "Several patients of this institution carry the number",
        (
            "同じ番号の方が複数います。記号と枝番も入力してください。",
            "Several patients have this number. Please enter symbol and branch number.",
        ),
        (
            "symbol と branch_number を加えて一人に定まるようにしてください。登録していません。",
            "Add symbol and branch_number so that one person is meant. Nothing was registered.",
        ),
    ),
    "reference_number_taken": _row(
        409,
        "The reference number is another patient's",
        (
            "この照会番号は別の患者さんに使われています。番号を確かめてください。",
            "This reference number belongs to another patient. Please check it.",
        ),
        (
            "照会番号は一つの医療機関の中で一人だけを指します。上書きはしていません。",
            "A reference number means one person within an institution. Nothing was overwritten.",
        ),
    ),
    "enrolment_closed": _row(
        403,
        "This server enrols no terminals",
        ("この接続先では端末を登録できません。", "Terminals cannot be enrolled at this address."),
        (
            "端末の認証局の鍵を持つ API(登録用)に接続してください。",
            "Connect to the API process that holds the terminal authority's key.",
        ),
    ),
    "enrolment_code_refused": _row(
        403,
        "The enrolment code is not good",
        (
            "登録コードが正しくないか、使用済みか、期限切れです。運営者に新しいコードを求めてください。",
            "The enrolment code is wrong, used or expired. Please ask the operator for a new one.",
        ),
        (
            "コードは一度だけ使えます。同じ鍵での再送は期限まで同じ端末として扱います。",
            "A code is good once; sent again with the same key until it expires, it names the same terminal.",
        ),
    ),
    "enrolment_throttled": _row(
        429,
        "Too many tries to enrol",
        ("登録の試みが多すぎます。1分ほど待ってください。", "Too many tries. Please wait about a minute."),
        ("Retry-After の秒数を待ってください。", "Wait for Retry-After."),
    ),
    "bulk_not_done": _row(
        409,
        "The bulk check is not done yet",
        ("一括照会を処理しています。少し待ってください。", "The bulk check is being done. Please wait a little."),
        (
            "state が done になるまで GET /v1/bulk-verifications/{bulk_id} で待ってください。",
            "Wait until GET /v1/bulk-verifications/{bulk_id} says done.",
        ),
    ),
    "bulk_results_cleared": _row(
        410,
        "The results of the bulk check were cleared",
        (
            "一括照会の結果の保存期間が過ぎました。もう一度照会してください。",
            "The results were kept for their time and are gone. Please run the bulk check again.",
        ),
        (
            "結果は results_until までに取得してください。",
            "Fetch results before results_until.",
        ),
    ),
    "too_many_bulks": _row(
        429,
        "The institution has too many open bulk checks",
        ("前の一括照会が終わるのを待ってください。", "Please wait for the earlier bulk checks to end."),
        (
            "未完了の一括照会が上限に達しています。Retry-After の秒数を待ってください。",
            "As many bulk checks as may be are open; wait for Retry-After.",
        ),
    ),
    "rate_limited": _row(
        429,
        "Too many look-ups by number",
        ("照会が多すぎます。1分ほど待ってください。", "Too many look-ups. Please wait about a minute."),
        (
            "Retry-After の秒数を待ってください。多数の照会には一括照会を使ってください。",
            "Wait for Retry-After; use bulk checks for many.",
        ),
    ),
    "staff_session_needed": _row(
        401,
        "Nobody of staff is signed in",
        (
            "この操作には職員のサインインが必要です。もう一度サインインしてください。",
            "This needs a member of staff to be signed in. Please sign in again.",
        ),
        (
            "Authorization: Bearer に、この端末で有効なセッションのトークンを付けてください(無操作30分、最長12時間)。",
            "Send the token of a session of this terminal as Authorization: Bearer (30 min idle, 12 h at most).",
        ),
    ),
    "sign_in_refused": _row(
        401,
        "The sign-in is refused",
        (
            "名前、パスワード、確認コードのいずれかが違います。確認コードは一度しか使えません。",
            "The name, the password or the passcode is wrong. A passcode works once.",
        ),
        (
            "どれが違うかは知らせません。確認コードは次の30秒のものを使ってください。",
            "Which of them is wrong is not told; take the passcode of the next 30 s.",
        ),
    ),
    "sign_in_throttled": _row(
        429,
        "Too many attempts to sign in",
        ("サインインの試行が多すぎます。しばらく待ってください。", "Too many attempts to sign in. Please wait."),
        (
            "Retry-After の秒数を待ってください。名前ごと、端末ごとに15分間の上限があります。",
            "Wait for Retry-After; a name and a terminal each have a limit in 15 minutes.",
        ),
    ),
    "sign_in_off": _row(
        503,
        "Nobody of staff can sign in here",
        (
            "センターで職員のサインインが使えません。システム管理者に連絡してください。",
            "Staff cannot sign in at this centre. Please tell your system administrator.",
        ),
        (
            "センターに ELIGIBILITY_STAFF_KEY_FILE が設定されていません。",
            "The centre has no ELIGIBILITY_STAFF_KEY_FILE.",
        ),
    ),
    "verification_not_found": _row(
        404,
        "There is no such verification",
        ("該当する資格確認が見つかりません。", "No such verification was found."),
        (
            "verification_id が存在しないか、この医療機関のものではありません。",
            "The verification_id does not exist, or is not this institution's.",
        ),
    ),
    "not_shown_role": _row(
        403,
        "The role may not see this",
        ("あなたの職種では閲覧できない情報です。", "Your role may not see this information."),
        (
            "職種ごとの閲覧範囲は docs/disclosure.md の表のとおりです。",
            "docs/disclosure.md has the table of what each role may see.",
        ),
    ),
    "not_shown_no_consent": _row(
        403,
        "The patient has not agreed to show this",
        (
            "患者さんの同意がありません。必要なら、カードをもう一度置いて同意を確認してください。",
            "The patient has not agreed. If it is needed, please place the card again and ask.",
        ),
        ("この資格確認にはこの区分の同意がありません。", "This verification has no consent of this class."),
    ),
    "not_shown_withdrawn": _row(
        403,
        "The consent was withdrawn",
        ("患者さんが同意を取り消しています。", "The patient has withdrawn the consent."),
        (
            "同意は取り消されました。手元の写しも表示しないでください。",
            "The consent was withdrawn; do not show a kept copy either.",
        ),
    ),
    "not_shown_consent_expired": _row(
        403,
        "The consent is over",
        (
            "同意から24時間が過ぎています。カードをもう一度置いて同意を確認してください。",
            "24 hours have passed since the patient agreed. Please place the card again and ask.",
        ),
        (
            "同意の有効期間はカードによる確認から24時間です。",
            "A consent holds for 24 hours from the card's authentication.",
        ),
    ),
    "not_shown_needs_card": _row(
        403,
        "This needs a card",
        (
            "薬剤情報や健診情報の閲覧にはマイナンバーカードが必要です。",
            "Medication and check-ups need the My Number card.",
        ),
        ("番号による資格確認では同意を得られません。", "A verification by number carries no consent."),
    ),
    "not_shown_certificate_expired": _row(
        403,
        "The card's certificate had expired",
        (
            "電子証明書の有効期限が切れているため閲覧できません。市区町村の窓口で更新が必要です。",
            "The card's certificate has expired, so this is not shown. It needs renewal at the municipal office.",
        ),
        (
            "猶予期間中の証明書では、資格は確認できますが医療情報は閲覧できません。",
            "A certificate in its grace gives eligibility and no medical data.",
        ),
    ),
    "not_shown_certificate_revoked": _row(
        403,
        "The card's certificate is revoked",
        (
            "このカードの電子証明書は失効しています。閲覧できません。",
            "The card's certificate is revoked; this is not shown.",
        ),
        (
            "資格確認の後に失効した場合も閲覧できません。",
            "Nor is it when the certificate was revoked after the verification.",
        ),
    ),
    "not_shown_revocation_unknown": _row(
        503,
        "The card's revocation cannot be judged now",
        (
            "カードの失効情報を確認できないため、いまは閲覧できません。少し待ってください。",
            "Whether the card is revoked cannot be told now, so this is not shown. Please wait a little.",
        ),
        ("失効リストが1時間以上更新されていません。", "The revocation list is older than an hour."),
    ),
    "not_shown_not_covered": _row(
        403,
        "The person is not covered",
        ("有効な資格がないため閲覧できません。", "There is no coverage in force, so this is not shown."),
        (
            "確認した日と今日の両方で資格が有効でなければなりません。",
            "Coverage must be in force on the day that was asked for and today.",
        ),
    ),
    "not_shown_suspended": _row(
        403,
        "Viewing is suspended",
        (
            "この方の情報は閲覧停止中です。保険者に連絡してください。",
            "Viewing is suspended for this person. Please tell the insurer.",
        ),
        ("保険者の申出により閲覧が停止されています。", "An insurer has suspended viewing."),
    ),
}
