"""Every trouble the terminal can tell of: what happened and what to do next, in Japanese and English."""

from dataclasses import dataclass
from typing import Final

from eligibility.wire.problems import Sentence


@dataclass(frozen=True, slots=True)
class Advice:
    """What happened, and what to do next."""

    happened: Sentence
    next_step: Sentence

    def filled(self, facts: dict[str, str]) -> "Advice":
        """Return the advice with its {placeholders} filled in."""
        return Advice(_fill(self.happened, facts), _fill(self.next_step, facts))


def _fill(sentence: Sentence, facts: dict[str, str]) -> Sentence:
    return Sentence(ja=sentence.ja.format_map(facts), en=sentence.en.format_map(facts))


def _advice(happened_ja: str, happened_en: str, next_ja: str, next_en: str) -> Advice:
    return Advice(Sentence(ja=happened_ja, en=happened_en), Sentence(ja=next_ja, en=next_en))


_OTHER_WAY_JA: Final = "お急ぎの場合は、資格確認書や被保険者番号で確認してください。"
_OTHER_WAY_EN: Final = "If time is short, use the eligibility certificate or check by insured number."

ADVICE: Final[dict[str, Advice]] = {
    # The reader.
    "reader_missing": _advice(
        "カードリーダーが見つかりません。",
        "No card reader was found.",
        "リーダーの接続と電源を確かめ、--reader や TERMINAL_READER の名前が正しいか確認してください。",
        "Check the reader's cable and power, and the name given with --reader or TERMINAL_READER.",
    ),
    "reader_service_down": _advice(
        "スマートカードサービス (pcscd) が動いていません。",
        "The smart card service (pcscd) is not running.",
        "管理者が「systemctl start pcscd.socket」で起動するか、端末を再起動してください。",
        "An administrator starts it with `systemctl start pcscd.socket`, or restart this computer.",
    ),
    "reader_support_missing": _advice(
        "この端末にはカードリーダー用の部品 (pyscard) が入っていません。",
        "This installation has no card reader support (pyscard).",
        "管理者が requirements/reader.lock の内容を導入してください。",
        "An administrator installs what requirements/reader.lock names.",
    ),
    "camera_missing": _advice(
        "カメラが見つからないか、画像を取り込めません。",
        "The camera was not found, or gives no picture.",
        "カメラの接続と、TERMINAL_FACE_CAMERA の指定を確かめてください。暗証番号と受付での確認は使えます。",
        "Check the camera's cable and TERMINAL_FACE_CAMERA. The PIN, and confirmation by staff, go on working.",
    ),
    # The card.
    "card_missing": _advice(
        "カードが置かれませんでした。",
        "No card was put on the reader.",
        "マイナンバーカードをリーダーに置いて、もう一度始めてください。",
        "Put the My Number card on the reader and start again.",
    ),
    "card_removed": _advice(
        "処理の途中でカードが取り外されました。",
        "The card was taken away before the check was done.",
        "終わるまでカードを置いたままにして、もう一度始めてください。",
        "Leave the card on the reader until the end and start again.",
    ),
    "card_reset": _advice(
        "処理の途中で、ほかのプログラムがカードを初期化しました。",
        "Another program reset the card half-way.",
        "カードを使うほかのプログラムを閉じて、もう一度始めてください。",
        "Close other programs that use the card and start again.",
    ),
    "card_in_use": _advice(
        "ほかのプログラムがカードを使っています。",
        "Another program is using the card.",
        "カードを使うほかのプログラムを閉じて、もう一度始めてください。",
        "Close other programs that use the card and start again.",
    ),
    "card_unresponsive": _advice(
        "カードが応答しません。",
        "The card does not answer.",
        "表裏と位置を確かめて置き直してください。続く場合は、ICチップの故障が考えられます。" + _OTHER_WAY_JA,
        "Check which side is up and put it back. If it goes on, the chip may be damaged. " + _OTHER_WAY_EN,
    ),
    "card_trouble": _advice(
        "カードの読み取りに失敗しました。",
        "The card could not be read.",
        "カードを置き直して、もう一度始めてください。" + _OTHER_WAY_JA,
        "Put the card back and start again. " + _OTHER_WAY_EN,
    ),
    "card_answered_unexpectedly": _advice(
        "カードが想定外の応答をしました (コード {status_word})。",
        "The card gave an unexpected answer (code {status_word}).",
        "カードを置き直して、もう一度始めてください。続く場合は、このコードをシステム管理者に伝えてください。",
        "Put the card back and start again. If it goes on, tell your system administrator this code.",
    ),
    "card_data_malformed": _advice(
        "カードの中の情報を読み解けません。",
        "What the card holds cannot be understood.",
        "住所地の市区町村の窓口で、カードの確認を受けるよう案内してください。" + _OTHER_WAY_JA,
        "The patient should have the card looked at by their municipality. " + _OTHER_WAY_EN,
    ),
    "card_photo_missing": _advice(
        "カードに顔写真がありません。",
        "The card holds no photo.",
        "1歳未満で交付されたカードには写真がありません。受付で確認してください。暗証番号でも確認できます。",
        "Cards issued before the first birthday have none. Staff confirm; the PIN works as well.",
    ),
    "card_data_forged": _advice(
        "カードの写真の電子署名が正しくありません。この写真は使いません。",
        "The signature on the card's photo is wrong. The photo is not used.",
        "カードの現物とご本人を見比べ、偽造が疑われるときは責任者に知らせてください。" + _OTHER_WAY_JA,
        "Compare the card itself with the person, and tell whoever is in charge if it looks forged. " + _OTHER_WAY_EN,
    ),
    "card_copied": _advice(
        "カードが本物であることを確かめられません。写真は使いません。",
        "The card cannot prove that it is the original. Its photo is not used.",
        "カードの現物とご本人を見比べ、複製が疑われるときは責任者に知らせてください。" + _OTHER_WAY_JA,
        "Compare the card itself with the person, and tell whoever is in charge if it looks copied. " + _OTHER_WAY_EN,
    ),
    "not_a_my_number_card": _advice(
        "マイナンバーカードではありません。",
        "This is not a My Number card.",
        "運転免許証や交通系カードなどではなく、マイナンバーカードを置いてください。",
        "Put a My Number card on the reader, not a driver's licence or a transport card.",
    ),
    "auth_certificate_missing": _advice(
        "カードに利用者証明用電子証明書がありません。",
        "The card holds no user-authentication certificate.",
        "住所地の市区町村の窓口で証明書の発行を受けるよう案内してください。" + _OTHER_WAY_JA,
        "The patient can have one issued by their municipality. " + _OTHER_WAY_EN,
    ),
    "virtual_card_unreadable": _advice(
        "指定されたフォルダに仮想カードがありません。",
        "The given folder does not hold a virtual card.",
        "card.json と証明書・鍵 (auth、sign の .crt .key _ca.crt) が揃っているか確かめてください。",
        "Check that card.json and the certificates and keys (auth and sign: .crt .key _ca.crt) are all there.",
    ),
    # The PIN.
    "pin_wrong": _advice(
        "暗証番号が違います。あと {tries_left} 回入力できます。",
        "The PIN is wrong. Tries left: {tries_left}.",
        "ご本人に確かめて、もう一度始めてください。0 回になるとロックされます。" + _OTHER_WAY_JA,
        "Ask the patient and start again. At 0 the card is locked. " + _OTHER_WAY_EN,
    ),
    "pin_blocked": _advice(
        "暗証番号がロックされています。",
        "The PIN is locked.",
        "住所地の市区町村の窓口、または対応するコンビニ端末で、暗証番号の再設定が必要です。" + _OTHER_WAY_JA,
        "The PIN must be reset by the municipality or at a convenience store's terminal. " + _OTHER_WAY_EN,
    ),
    "text_pin_blocked": _advice(
        "券面事項入力補助用の暗証番号がロックされています。カードを登録できません。",
        "The PIN of the card's text application is locked, so the card cannot be registered.",
        "もう一度始めて照合番号Bを入力するか、市区町村の窓口で再設定してください。" + _OTHER_WAY_JA,
        "Start again and enter the verification number B, or have the municipality reset the PIN. " + _OTHER_WAY_EN,
    ),
    "pin_malformed": _advice(
        "暗証番号は数字4桁です。カードには送っていないので、残り回数は減っていません。",
        "A PIN is four digits. It was not sent to the card, so no try was used.",
        "数字4桁を入力してください。",
        "Enter four digits.",
    ),
    "number_b_malformed": _advice(
        "数字4桁の暗証番号か、数字14桁の照合番号Bを入力してください。残り回数は減っていません。",
        "Enter the four digits of the PIN or the fourteen of the verification number B. No try was used.",
        "照合番号Bは、生年月日(和暦6桁)、有効期限の西暦年(4桁)、セキュリティコード(4桁)です。",
        "Number B is the birth date (era, 6 digits), the year of expiry (4) and the security code (4).",
    ),
    "number_b_wrong": _advice(
        "照合番号Bが違います。あと {tries_left} 回入力できます。",
        "The verification number B is wrong. Tries left: {tries_left}.",
        "カード表面の生年月日・有効期限・セキュリティコードを確かめてください。暗証番号でも確認できます。",
        "Check the birth date, year of expiry and security code on the card's face. The PIN works as well.",
    ),
    "number_b_blocked": _advice(
        "照合番号Bがロックされています。カードの写真は読めません。",
        "The verification number B is locked, so the card's photo cannot be read.",
        "暗証番号で確認するか、受付での目視確認に切り替えてください。解除は市区町村の窓口です。",
        "Use the PIN, or visual confirmation by staff. The municipality can unlock it.",
    ),
    "pin_not_entered": _advice(
        "暗証番号が入力されませんでした。残り回数は減っていません。",
        "No PIN was entered. No try was used.",
        "もう一度始めてください。" + _OTHER_WAY_JA,
        "Start again. " + _OTHER_WAY_EN,
    ),
    # The centre.
    "centre_away": _advice(
        "資格確認センターに接続できません。",
        "The eligibility centre cannot be reached.",
        "ネットワークを確かめて、少し待ってからもう一度始めてください。資格確認書などで受付を続けられます。",
        "Check the network, wait a little and start again. Reception can go on with the eligibility certificate.",
    ),
    "centre_hung_up": _advice(
        "資格確認センターが、応答せずに接続を切りました。",
        "The eligibility centre ended the connection without an answer.",
        "もう一度始めてください。続く場合は、端末の証明書(TERMINAL_CERTIFICATE)の期限と発行元をシステム管理者が確認してください。",
        "Start again. If it persists, a system administrator checks TERMINAL_CERTIFICATE: its issuer, and its expiry.",
    ),
    "centre_not_trusted": _advice(
        "接続先の証明書を確認できないため、通信を止めました。",
        "The server's certificate could not be trusted, so nothing was sent.",
        "TERMINAL_CENTRE_URL と TERMINAL_CENTRE_AUTHORITY が正しいか、システム管理者が確認してください。",
        "A system administrator checks TERMINAL_CENTRE_URL and TERMINAL_CENTRE_AUTHORITY.",
    ),
    "terminal_not_accepted": _advice(
        "この端末の証明書がセンターに受け付けられませんでした。",
        "The centre did not accept this terminal's certificate.",
        "証明書の期限と登録を、システム管理者が確認してください。",
        "A system administrator checks whether the certificate has expired and is enrolled.",
    ),
    "centre_answer_unreadable": _advice(
        "センターからの応答を読み解けません。",
        "The centre's answer cannot be understood.",
        "TERMINAL_CENTRE_URL が正しいか、この端末のソフトウェアが最新かを確認してください。",
        "Check TERMINAL_CENTRE_URL, and whether this terminal's software is up to date.",
    ),
    "centre_answer_too_long": _advice(
        "センターからの応答が長すぎるため、受け取りを止めました。",
        "The centre's answer is too long, and was not taken.",
        "薬剤情報は期間を短くしてください。続く場合は、システム管理者が TERMINAL_CENTRE_URL を確認してください。",
        "Ask for fewer months of medicines. If it persists, a system administrator checks TERMINAL_CENTRE_URL.",
    ),
    # The bridge to the clinic's software.
    "bridge_folder_unusable": _advice(
        "連携フォルダを作成できないか、読み書きできません。",
        "The shared folder cannot be made, read or written.",
        "共有フォルダの場所と権限を、システム管理者が確認してください (TERMINAL_BRIDGE_FOLDER)。",
        "A system administrator checks where it is and who may write it (TERMINAL_BRIDGE_FOLDER).",
    ),
    "bridge_folder_missing": _advice(
        "連携フォルダがありません。",
        "The shared folder is not there.",
        "共有フォルダの接続を確認してください。この端末のフォルダなら起動時に作成されます (TERMINAL_BRIDGE_FOLDER)。",
        "Check that the share is mounted; one on this machine is made at the start (TERMINAL_BRIDGE_FOLDER).",
    ),
    "bridge_folder_silent": _advice(
        "連携フォルダの共有が応答しません。",
        "The share with the shared folder does not answer.",
        "共有元の機器と院内ネットワークを確認してください。資格確認はこのまま続けられます (TERMINAL_BRIDGE_FOLDER)。",
        "Check the machine that serves it and the network; the counter goes on meanwhile (TERMINAL_BRIDGE_FOLDER).",
    ),
    "bridge_not_running": _advice(
        "連携用のポートで応答するプログラムがありません。",
        "Nobody listens on the bridge's port.",
        "端末のサービスが動いているか確認し、動いていれば起動し直してください (TERMINAL_BRIDGE_PORT)。",
        "Check that the terminal's service runs; if it does, start it again (TERMINAL_BRIDGE_PORT).",
    ),
    "bridge_not_started": _advice(
        "連携プログラムはまだ動いていません。",
        "The bridge does not run yet.",
        "自動で開始を繰り返します。続く場合は、システム管理者が共有フォルダの接続を確認してください "
        "(TERMINAL_BRIDGE_FOLDER)。",
        "It goes on being started by itself. If it persists, a system administrator checks the share "
        "(TERMINAL_BRIDGE_FOLDER).",
    ),
    "bridge_folder_taken": _advice(
        "連携フォルダは、別の連携プログラムが使っています。",
        "Another bridge serves this folder.",
        "二重に起動していないか、ほかの端末が同じフォルダを使っていないか確認してください。",
        "Check whether it was started twice, or another terminal uses the same folder.",
    ),
    "bridge_nothing_to_serve": _advice(
        "連携フォルダもポートも設定されていません。",
        "Neither a shared folder nor a port is set.",
        "--folder、または TERMINAL_BRIDGE_FOLDER か TERMINAL_BRIDGE_PORT を指定してください。",
        "Give --folder, or set TERMINAL_BRIDGE_FOLDER or TERMINAL_BRIDGE_PORT.",
    ),
    "bridge_port_taken": _advice(
        "連携用のポートは、別のプログラムが使っています。",
        "Another program listens on the bridge's port.",
        "TERMINAL_BRIDGE_PORT に別の番号を設定してください。",
        "Set another number in TERMINAL_BRIDGE_PORT.",
    ),
    "bridge_state_unusable": _advice(
        "連携プログラムの記録を読み書きできません。",
        "What the bridge remembers cannot be read or written.",
        "TERMINAL_BRIDGE_STATE のフォルダと空き容量を、システム管理者が確認してください。",
        "A system administrator checks the folder TERMINAL_BRIDGE_STATE and the room left on its disk.",
    ),
    "bridge_secret_unusable": _advice(
        "連携用のトークンか鍵のファイルが壊れているか、ほかの利用者にも読める状態です。",
        "The bridge's token or key is damaged, or others than its owner may read its file.",
        "権限を 600 にするか、ファイルを削除して起動し直してください (TERMINAL_BRIDGE_TOKEN、TERMINAL_BRIDGE_STATE)。",
        "Set its permissions to 600, or delete it and start again (TERMINAL_BRIDGE_TOKEN, TERMINAL_BRIDGE_STATE).",
    ),
    # The terminal.
    "credentials_unreadable": _advice(
        "この端末の証明書・鍵、またはセンターの認証局のファイルを読めません。",
        "This terminal's certificate, its key, or the centre's authority cannot be read.",
        "TERMINAL_CERTIFICATE、TERMINAL_KEY、TERMINAL_CENTRE_AUTHORITY のファイルを確認してください。",
        "Check the files named by TERMINAL_CERTIFICATE, TERMINAL_KEY and TERMINAL_CENTRE_AUTHORITY.",
    ),
    "enrolment_folder_in_use": _advice(
        "この端末はすでに登録されています: {names}。",
        "This terminal is enrolled already: {names}.",
        "証明書の更新は renew です。登録し直すには、そのファイルを移してから実行してください。",
        "`renew` renews its certificate. To enrol again, move that file away first.",
    ),
    "enrolment_file_unusable": _advice(
        "登録に使うファイルを読み書きできません: {names}。",
        "A file of the enrolment cannot be read or written: {names}.",
        "場所と権限を確認してください。",
        "Check where it is and who may use it.",
    ),
    "enrolment_answer_wrong": _advice(
        "センターから届いた証明書が、この端末の鍵のものではありません。",
        "The certificate that came is not of this terminal's key.",
        "接続先と登録コードを運営者に確認してください。届いた証明書は使っていません。",
        "Ask the operator about the address and the code. The certificate was not used.",
    ),
    "outbox_unusable": _advice(
        "回線断の来院記録のファイルを使えません。",
        "The outbox's file cannot be used.",
        "TERMINAL_OUTBOX_FILE の場所と権限を、システム管理者が確認してください。それまでは紙の申立書を使ってください。",
        "A system administrator checks TERMINAL_OUTBOX_FILE. Use the paper statement until then.",
    ),
    "outbox_damaged": _advice(
        "回線断の来院記録のファイルが壊れています。",
        "The outbox's file is damaged.",
        "端末のサービスを起動し直してください。壊れたファイルは時刻のついた名前で保管され、読める来院は引き継がれます。",
        "Start the terminal's service again: it puts the file aside under a name with the time, and takes over the "
        "visits that can be read.",
    ),
    "outbox_not_open": _advice(
        "来院記録を使えないまま動いています。原因はもうありません。",
        "The counter was started without its outbox. What kept it away is gone.",
        "端末のサービスを起動し直してください。それまでは紙の申立書を使ってください。",
        "Start the terminal's service again. Use the paper statement until then.",
    ),
    "outbox_key_unusable": _advice(
        "回線断の来院記録の鍵を使えません。",
        "The outbox's key cannot be used.",
        "OSのキーリング、または TERMINAL_OUTBOX_KEY_FILE(所有者だけが読めること)を確認してください。",
        "Check the OS keyring, or TERMINAL_OUTBOX_KEY_FILE: only its owner may read it.",
    ),
    "outbox_key_wrong": _advice(
        "回線断の来院記録は別の鍵で封じられています。",
        "The outbox was sealed with another key.",
        "元の鍵に戻してください。鍵を失った場合は、ファイルを別の場所に保管し、紙の控えから入力してください。",
        "Put the first key back. If it is lost, move the file away and enter the visits from paper.",
    ),
    "outbox_seal_broken": _advice(
        "回線断の来院記録が書き換えられています。",
        "The outbox was tampered with, or the disk is damaged.",
        "ファイルを保管してシステム管理者に伝え、紙の控えから入力してください。",
        "Keep the file, tell your system administrator, and enter the visits from paper.",
    ),
    "outbox_clock_wrong": _advice(
        "来院を記録したとき、端末の時計の日付が違っていたおそれがあります。",
        "The terminal's clock may have shown another day when this visit was journalled.",
        "来院した日を入力してください。端末の時計は、システム管理者が合わせてください。",
        "Enter the day of the visit. A system administrator sets the terminal's clock.",
    ),
    "maybe_settled": _advice(
        "6日以上前に照会しましたが、答えが届いていません。",
        "This was asked more than six days ago, and no answer has come.",
        "もう一度照会するには、番号を確かめて保存してください。",
        "To ask once more, look at the number and keep it.",
    ),
    "outbox_being_settled": _advice(
        "回線断の来院記録は、別のプログラムが確認しています。",
        "Another program is settling the outbox's visits.",
        "動いている受付の端末は、来院記録を自動で確認します。件数は outbox state で見られます。",
        "A counter that runs settles them by itself; `outbox state` counts them.",
    ),
    "bulk_file_unreadable": _advice(
        "一括照会のファイルを読めません: {names}。",
        "The file of the bulk check cannot be read: {names}.",
        "UTF-8 か Shift_JIS の CSV で保存し直してください。",
        "Save it again as CSV, in UTF-8 or Shift_JIS.",
    ),
    "bulk_file_empty": _advice(
        "一括照会のファイルに行がありません。",
        "The file of the bulk check holds no lines.",
        "1行目に見出し、2行目から予約を書いてください。",
        "Its first line is the heading; the appointments follow.",
    ),
    "bulk_column_missing": _advice(
        "一括照会のファイルに列がありません: {names}。",
        "The file of the bulk check lacks columns: {names}.",
        "見出しは 患者番号・保険者番号・記号・番号・枝番・生年月日 です。",
        "The heading names item_id, insurer_number, symbol, number, branch_number and birth_date.",
    ),
    "bulk_value_too_long": _advice(
        "一括照会のファイルの {names} 行目に長すぎる値があります。",
        "Line {names} of the bulk check's file holds a value that is too long.",
        "列がずれていないか確かめてください。",
        "Check whether the columns are shifted.",
    ),
    "bulk_result_unwritable": _advice(
        "一括照会の結果を書き込めません: {names}。",
        "The results of the bulk check cannot be written: {names}.",
        "開いていれば閉じ、フォルダの権限と空き容量を確かめて、同じコマンドをもう一度実行してください。照会済みの結果は改めて取得します。",
        "Close it if it is open, check the folder's permissions and room, and run the same command again: what was "
        "checked is fetched again.",
    ),
    "settings_incomplete": _advice(
        "端末の設定に不足か誤りがあります: {names}。",
        "The terminal's settings are missing or malformed: {names}.",
        "環境変数か、--settings で渡す設定ファイルに書いてください。",
        "Set them in the environment or in the file given with --settings.",
    ),
    "settings_file_missing": _advice(
        "設定ファイルを読めません。",
        "The settings file cannot be read.",
        "--settings で渡したファイルを確認してください。",
        "Check the file given with --settings.",
    ),
    "port_taken": _advice(
        "画面用のポートをほかのプログラムが使っています。",
        "Another program listens on the screens' port.",
        "すでに動いていないか確かめるか、TERMINAL_SCREENS_PORT を変えてください。",
        "See whether the screens run already, or set another TERMINAL_SCREENS_PORT.",
    ),
    "passcode_unreadable": _advice(
        "目視確認のパスコードのファイルを読み書きできません。",
        "The file of the passcode for visual checks cannot be read or written.",
        "TERMINAL_VISUAL_PASSCODE を確かめ、passcode コマンドで作り直してください。",
        "Check TERMINAL_VISUAL_PASSCODE, and make the file again with the command `passcode`.",
    ),
    "passcode_too_short": _advice(
        "パスコードが短すぎます。",
        "The passcode is too short.",
        "6文字以上にしてください。",
        "Use at least six characters.",
    ),
    "passcodes_differ": _advice(
        "2回の入力が一致しません。",
        "The two entries differ.",
        "もう一度、同じパスコードを2回入力してください。",
        "Start again and enter the same passcode twice.",
    ),
    "entry_malformed": _advice(
        "入力の形式が正しくありません: {names}。",
        "The entry is malformed: {names}.",
        "番号と日付を確かめてください。日付は YYYY-MM-DD です。",
        "Check the numbers and dates; a date is YYYY-MM-DD.",
    ),
    "stopped": _advice(
        "中止しました。",
        "Stopped.",
        "もう一度始めることができます。",
        "You can start again.",
    ),
    "unexpected": _advice(
        "予期しない問題が起きました ({kind})。",
        "Something unexpected happened ({kind}).",
        "もう一度お試しください。続く場合は、システム管理者に伝えてください。",
        "Try again; if it goes on, tell your system administrator.",
    ),
}

PROMPTS: Final[dict[str, Sentence]] = {
    "put_card": Sentence(
        ja="マイナンバーカードをリーダーに置いてください。", en="Put the My Number card on the reader."
    ),
    "ask_pin": Sentence(
        ja="利用者証明用の暗証番号(数字4桁、あと {tries_left} 回)",
        en="PIN for user authentication (4 digits, tries left: {tries_left})",
    ),
    "last_try": Sentence(
        ja="これが最後の1回です。間違えるとカードの暗証番号がロックされます。やめるときは何も入力せず Enter。",
        en="This is the last try: if it is wrong the PIN is locked. To stop, press Enter without typing.",
    ),
    "ask_text_secret": Sentence(
        ja="券面事項入力補助用の暗証番号(数字4桁、あと {tries_left} 回)、または照合番号B(数字14桁)",
        en="PIN of the text application (4 digits, tries left: {tries_left}), or verification number B (14 digits)",
    ),
    "ask_number_b": Sentence(
        ja="照合番号B(数字14桁: 生年月日の和暦6桁・有効期限の西暦年・セキュリティコード)",
        en="Verification number B (14 digits: birth date in era years, year of expiry, security code)",
    ),
    "tried_again": Sentence(
        ja="来院記録は残っています。{seconds} 秒後にもう一度試します。",
        en="The visits are kept. Trying again in {seconds} s.",
    ),
    "may_register": Sentence(
        ja="このカードは初めてです。保険証として利用登録しますか",
        en="This card is new here. Register it for health insurance",
    ),
}
