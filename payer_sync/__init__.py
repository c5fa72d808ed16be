"""The insurers' bulk push: from a file as the field writes it to facts in the centre, and feedback on every fault."""
