"""Text from elsewhere, made fit to be told."""


def encodable(text: str) -> str:
    """Text that UTF-8 can carry: half of a surrogate pair, which JSON can smuggle in, becomes `?`."""
    return text.encode(errors="replace").decode()
