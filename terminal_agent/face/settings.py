"""What a terminal is told about face matching: which model files, which threshold, which calibration, which camera."""

import tomllib
from pathlib import Path
from typing import Final, Self

from pydantic import Field
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from terminal_agent.settings import FACE_PREFIX, SettingsFileMalformed, misspelt

_SHA256: Final = r"^[0-9a-f]{64}$"


class FaceSettings(BaseSettings):
    """Every field is a variable TERMINAL_FACE_… of the environment, or stands in the terminal's settings file.

    In a TOML file they are a table of their own, [face].
    """

    model_config = SettingsConfigDict(
        env_prefix=FACE_PREFIX, frozen=True, hide_input_in_errors=True, extra="ignore", env_ignore_empty=True
    )

    enabled: bool = Field(default=False, description="Whether the kiosk may compare faces at all.")
    detector_path: Path | None = Field(default=None, description="The ONNX file of the detector (YuNet).")
    detector_sha256: str | None = Field(default=None, pattern=_SHA256)
    recognizer_path: Path | None = Field(default=None, description="The ONNX file of the recogniser.")
    recognizer_sha256: str | None = Field(default=None, pattern=_SHA256)
    threshold: float | None = Field(default=None, le=1.0, description="Mean cosine of three frames that accepts.")
    clearly_different: float = Field(default=0.15, ge=-1.0, le=1.0, description="Below it staff are asked to look.")
    calibration: Path | None = Field(
        default=None, description="What `face calibrate` wrote for these models; without it staff confirm every match."
    )
    card_authorities: Path | None = Field(
        default=None, description="A folder of PEM public keys named KEYID.pem (32 hexadecimal digits)."
    )
    camera: str = Field(default="0", description="A camera's number or device, or folder:PATH of pictures.")
    head_turn: bool = Field(default=False, description="Ask for two turns of the head, where staff cannot see.")

    @classmethod
    def load(cls, file: Path | None) -> Self:
        """Read the environment, and below it the terminal's settings file.

        Raises:
            pydantic.ValidationError: something is malformed.
            SettingsFileMalformed: the file cannot be read or is no TOML, its table [face] is none, or it holds names
                nobody asks for.
        """
        if file is None:
            return cls()
        if file.suffix != ".toml":
            if unknown := misspelt(cls, file):
                raise SettingsFileMalformed(", ".join(unknown))
            return cls(_env_file=file)
        try:
            stated = tomllib.loads(file.read_text(encoding="utf-8")).get("face", {})
        except (OSError, ValueError) as error:  # a TOMLDecodeError is a ValueError
            raise SettingsFileMalformed(file.name) from error
        if not isinstance(stated, dict):
            raise SettingsFileMalformed("face")
        if unknown := sorted(stated.keys() - cls.model_fields.keys()):
            raise SettingsFileMalformed(", ".join(f"face.{name}" for name in unknown))
        return cls(**(stated | EnvSettingsSource(cls)()))
