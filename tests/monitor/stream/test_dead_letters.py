"""The dead letters of the stream in memory."""

from dataclasses import replace

from monitor.stream.dead_letters import DeadLetterStore, MemoryDeadLetterStore, StreamDeadLetter

LETTER = StreamDeadLetter(at=1.0, request="r-1", source="arn", format="json", reason="no JSON", piece="{")


def test_only_the_latest_letters_are_stored_but_all_are_counted() -> None:
    store: DeadLetterStore = MemoryDeadLetterStore(max_letters=2)
    for request in ("r-1", "r-2", "r-3"):
        store.add(replace(LETTER, request=request))
    assert [letter.request for letter in store.latest()] == ["r-3", "r-2"]
    assert store.count == 3
