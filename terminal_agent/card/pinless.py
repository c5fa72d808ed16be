"""Signing without a PIN after a face match: the place for what only accredited verifiers may do.

The law lets designated verifiers (特定利用者証明検証者) have the user-authentication key sign without a PIN. How the
reader proves itself to the card is not public and its keys are given to nobody else, so there is no implementation for
real cards here. Without one, a face match still needs the PIN for the card's signature, and the kiosk says so.
"""

from hashlib import sha256
from hmac import digest
from typing import Final, Protocol

from terminal_agent.card.apdu import GET_CHALLENGE, PROPRIETARY_CLASS, SET_PUBLIC_KEY, Command
from terminal_agent.card.connection import Connection, exchange, expect_ok
from terminal_agent.card.sessions import JpkiSession

_CHALLENGE_BYTES: Final = 32


class PinlessSigner(Protocol):
    """A device whose operator is accredited."""

    def sign(self, connection: Connection, message: bytes) -> bytes:
        """Sign a message with the user-authentication key, as `JpkiSession.sign`, after a face was matched.

        Raises:
            ApduError: the card does not accept this terminal.
        """


class VirtualPinlessSigner:
    """The test implementation: opens virtual cards that share a secret with it. No real card answers this."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, connection: Connection, message: bytes) -> bytes:
        """Prove the terminal to the card, then sign without a PIN."""
        session = JpkiSession.open(connection)
        asked = Command(GET_CHALLENGE, 0x00, 0x00, expected=_CHALLENGE_BYTES)
        challenge = expect_ok(exchange(connection, asked)).data
        proof = digest(self._secret, challenge, sha256)
        expect_ok(exchange(connection, Command(SET_PUBLIC_KEY, 0x00, 0x00, proof, cla=PROPRIETARY_CLASS)))
        return session.sign(message)
