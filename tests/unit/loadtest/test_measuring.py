"""What processes have computed does not become less when one of them ends."""

import subprocess
import sys

from loadtest.measuring import computed_s, tree

_CHILD = "import sys; sum(range(10**7)); print('computed', flush=True); sys.stdin.readline()"
_PARENT = (
    "import subprocess, sys;"
    " subprocess.run([sys.executable, '-c', sys.argv[1]], check=True);"
    " print('ended', flush=True); sys.stdin.readline()"
)


def test_what_a_process_computed_stays_counted_after_its_end() -> None:
    command = [sys.executable, "-c", _PARENT, _CHILD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        assert parent.stdout.readline() == "computed\n"
        alive = computed_s(tree(parent.pid))
        assert len(tree(parent.pid)) == 2
        parent.stdin.write("go on\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "ended\n"
        assert len(tree(parent.pid)) == 1
        assert computed_s(tree(parent.pid)) >= alive
        parent.stdin.close()
