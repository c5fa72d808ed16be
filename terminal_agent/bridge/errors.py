"""Why the bridge cannot serve; each has its advice in `terminal_agent.messages`."""

from typing import ClassVar


class BridgeError(Exception):
    """The bridge cannot serve."""

    code: ClassVar[str] = "bridge_folder_unusable"

    def __str__(self) -> str:
        return (type(self).__doc__ or "").strip().splitlines()[0]


class FolderUnusable(BridgeError):
    """The shared folder cannot be made, read or written."""


class FolderMissing(BridgeError):
    """The shared folder is not there."""

    code = "bridge_folder_missing"


class FolderSilent(BridgeError):
    """The share does not answer."""

    code = "bridge_folder_silent"


class NotRunning(BridgeError):
    """Nobody listens on the bridge's port."""

    code = "bridge_not_running"


class NotStarted(BridgeError):
    """The bridge is being started, or ended unexpectedly."""

    code = "bridge_not_started"


class FolderTaken(BridgeError):
    """Another bridge serves this folder."""

    code = "bridge_folder_taken"


class NothingToServe(BridgeError):
    """Neither a folder nor a port is set."""

    code = "bridge_nothing_to_serve"


class RestPortTaken(BridgeError):
    """Another program listens on the bridge's port."""

    code = "bridge_port_taken"


class StateUnusable(BridgeError):
    """What the bridge remembers cannot be read or written."""

    code = "bridge_state_unusable"


class SecretUnusable(BridgeError):
    """The token or the key is damaged, or others than its owner may read its file."""

    code = "bridge_secret_unusable"
