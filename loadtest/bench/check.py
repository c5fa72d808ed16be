"""Checks an insurer's file with the loader's own code, in a process of its own without a database: what that takes."""

import json
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

from eligibility.domain.identifiers import InsurerNumber
from loadtest.bench.phases import Phase
from loadtest.processes import clean_environment
from payer_sync.contract import check_file
from payer_sync.layouts.register import find_layout


def measure(path: Path, insurer: str, today: date) -> Phase:
    """Check a file of the eligibility layout in a new process; return how long it took."""
    command = [sys.executable, "-m", "loadtest.bench.check", str(path), insurer, today.isoformat()]
    said = subprocess.run(command, env=clean_environment(), stdout=subprocess.PIPE, check=True)  # noqa: S603 (our own module)
    return Phase("parse and validate alone", **json.loads(said.stdout))


def main() -> None:
    """Check the file that the command line names, and print what it took."""
    path, insurer, today = sys.argv[1:]
    layout, records = find_layout("eligibility", 1), 0
    began, cpu = time.perf_counter(), time.process_time()
    for checked in check_file(Path(path), layout, InsurerNumber(insurer), date.fromisoformat(today)):
        records += checked.read
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    json.dump({"rows": records, "seconds": seconds, "intake_cpu_s": cpu_s}, sys.stdout)


if __name__ == "__main__":
    main()
