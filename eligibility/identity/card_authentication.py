"""A card proves itself: its certificate is genuine and in force, and it signed this terminal's challenge just now."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from eligibility.domain.errors import Refused
from eligibility.identity.certificate import Validity
from eligibility.identity.challenge import ChallengeKeys
from eligibility.identity.revocation import RevocationLists
from eligibility.identity.signature import verify_signature
from eligibility.identity.trust import TrustStore
from eligibility.identity.verified import VerifiedCertificates
from eligibility.wire.verifications import CardProof


@dataclass(frozen=True, slots=True)
class AuthenticatedCard:
    """A card that has proved itself; the nonce must be used up, durably, before anybody is told."""

    card_key: bytes
    validity: Validity
    not_after: datetime
    nonce: bytes
    challenge_expires_at: datetime


class CardRefused(Refused):
    """The card's proof is refused; the cause and its code say why.

    `nonce` and `challenge_expires_at` are set once the challenge is known to be authentic: it must then be used up,
    or a signature could be tried until one holds. `card_key` is set once the certificate's path is verified; before
    that, it is nothing but the sender's word.
    """

    def __init__(
        self,
        cause: Refused,
        *,
        nonce: bytes | None = None,
        challenge_expires_at: datetime | None = None,
        card_key: bytes | None = None,
    ) -> None:
        super().__init__(str(cause))
        self.code = cause.code
        self.reason = type(cause)
        self.nonce = nonce
        self.challenge_expires_at = challenge_expires_at
        self.card_key = card_key


def authenticate_card(
    proof: CardProof,
    *,
    terminal_id: UUID,
    trust: TrustStore,
    revocation: RevocationLists,
    challenges: ChallengeKeys,
    verified: VerifiedCertificates,
    now: datetime,
) -> AuthenticatedCard:
    """Verify a card's proof; the numbers are those of the main job's ten steps.

    (1) parse the certificate, within its size limit; (2) its issuer among the pinned generations, by key identifier;
    (3) path and profile; (4) validity, with grace; (5) revocation, by a fresh list; (6) the challenge: its MAC, its
    terminal, its time; (7) the signature.
    (6) is done first, because it is cheap and because every later refusal has to use up the challenge.

    Raises:
        CardRefused: one of the steps failed.
    """
    # (6) the challenge is ours, this terminal's, and in time
    try:
        challenge = challenges.open(proof.challenge, terminal_id, now)
    except Refused as refused:
        raise CardRefused(refused) from refused

    card_key: bytes | None = None
    try:
        # (1) parse, (2) issuer, (3) path and profile
        certificate = verified.verify(proof.certificate, trust=trust, now=now)
        card_key = certificate.card_key

        # (4) validity
        validity = certificate.validity_at(now)

        # (5) revocation
        revocation.check(certificate, now)

        # (7) signature
        verify_signature(certificate, proof.challenge, proof.signature)
    except Refused as refused:
        raise CardRefused(
            refused, nonce=challenge.nonce, challenge_expires_at=challenge.expires_at, card_key=card_key
        ) from refused

    return AuthenticatedCard(card_key, validity, certificate.not_after, challenge.nonce, challenge.expires_at)
