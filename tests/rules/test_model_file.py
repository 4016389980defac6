"""Problems that are found after a model file was read name their lines, too."""

from pydantic import BaseModel

from rules.model_file import parse_model, unreadable_file


class Shelf(BaseModel):
    """A model to read."""

    books: dict[str, int]


CONTENT = b"books:\n  first: 1\n  second: 2\n"


def test_a_later_problem_of_a_valid_file_names_its_line() -> None:
    file = parse_model(CONTENT, "shelf.yaml", Shelf)
    assert file.model == Shelf(books={"first": 1, "second": 2})
    assert file.problem_at(("books", "second"), "too thin") == "shelf.yaml:3: books.second: too thin"


def test_a_later_problem_of_an_unreadable_file_names_its_first_line() -> None:
    for content in (b"books: [", b"\xff"):
        file = parse_model(content, "shelf.yaml", Shelf)
        assert file.model is None
        assert file.problem_at((), "missing") == "shelf.yaml:1: file: missing"
    assert unreadable_file("shelf.yaml", "gone").problem_at((), "missing") == "shelf.yaml:1: file: missing"
