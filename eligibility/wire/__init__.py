"""What travels between the centre and its edges: the only part of the centre that an edge may import."""
