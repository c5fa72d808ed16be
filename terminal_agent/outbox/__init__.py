"""The visits of a counter whose line to the centre was down: kept sealed on disk, settled once when it is back."""
