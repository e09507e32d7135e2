"""One of several trained candidates, chosen by how well each does, how large and how fast it is."""
