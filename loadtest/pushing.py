"""An insurer's office as load: a file of people who are new, pushed by the real client, and what became of it."""

import subprocess
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from eligibility.domain.identifiers import InsurerNumber
from eligibility.wire.submissions import Submission, SubmissionState
from loadtest.nation.rows import COLUMNS
from loadtest.population import Nation
from loadtest.processes import BESIDE_COUNTERS, command_of


@dataclass(frozen=True, slots=True)
class Push:
    """A push that runs, as a process that gives way to counters."""

    process: "subprocess.Popen[str]"

    @classmethod
    def begin(cls, file: Path, certificate: Path, authority: Path, url: str) -> Self:
        """Push a file of what has changed, as the insurer of the certificate, whose key stands beside it."""
        options = ["--certificate", str(certificate), "--key", str(certificate.with_suffix(".key")), "--kind", "delta"]
        options += ["--authority", str(authority), "--to", url, "--json"]
        command = command_of("payer_sync", ["push", str(file), *options], BESIDE_COUNTERS)
        return cls(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 (our own)
        )

    def wait(self) -> tuple[int, str]:
        """Return how many records were merged, and, where the file was not, what was said instead."""
        said, aside = self.process.communicate()
        try:
            submission = Submission.model_validate_json(said)
        except ValidationError:
            return 0, f"push ended with {self.process.returncode}: {aside[-300:].strip()}"
        if submission.state is not SubmissionState.MERGED:
            return 0, f"the file was not merged but is {submission.state}"
        return submission.merged or 0, ""


def write_file(file: Path, insurer: InsurerNumber, rows: int, number: int) -> None:
    """Write so many records of an insurer; another number is other people."""
    nation = Nation.make(rows, number, date(2026, 11, 1), insurers=1)
    at = COLUMNS.index("保険者番号")
    with file.open("wb") as out:
        out.write((",".join(COLUMNS) + "\n").encode())
        for frame in nation.records(nation.insurers[0]):
            frame.replace_column(at, frame.to_series(at).clear().extend_constant(insurer.digits, frame.height))
            out.write(frame.write_csv(include_header=False, quote_style="never").encode())
