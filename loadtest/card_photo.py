"""`python -m loadtest card-photo`: gives a virtual card a photo, and writes the key that a terminal pins for it."""

import argparse
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from loadtest.cards import with_photo
from terminal_agent.card.errors import VirtualCardUnreadable
from terminal_agent.card.virtual_files import load_content, save_card
from terminal_agent.card.virtual_photo import PictureUnreadable
from terminal_agent.card.virtual_surface import AUTHORITY_ID, VisualIssuer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the virtual card")
    parser.add_argument("picture", type=Path, metavar="PICTURE", help="of one face, seen from the front")
    parser.add_argument("--head", type=float, nargs=4, metavar=("X", "Y", "WIDTH", "HEIGHT"), help="where the head is")
    parser.add_argument(
        "--authorities", type=Path, required=True, metavar="DIR", help="where KEYID.pem goes (the terminal's setting)"
    )


def run(chosen: argparse.Namespace) -> int:
    """Issue the card a photo by an authority of its own; return 1 where card or picture cannot be read."""
    issuer = VisualIssuer.create()
    try:
        content = load_content(chosen.folder)
        made = with_photo(replace(content, visual=None), issuer, chosen.picture.read_bytes(), chosen.head)
    except (VirtualCardUnreadable, PictureUnreadable, OSError) as error:
        print(f"{chosen.folder}, {chosen.picture}: {type(error).__name__}")  # noqa: T201 - said to whoever ran it
        return 1
    save_card(chosen.folder, made)
    chosen.authorities.mkdir(parents=True, exist_ok=True)
    key = issuer.authority.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (chosen.authorities / f"{AUTHORITY_ID.hex()}.pem").write_bytes(key)
    return 0
