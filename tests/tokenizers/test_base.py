import pytest

from textgenrnn.errors import ModelFileError
from textgenrnn.tokenizers import CharTokenizer, Vocabulary, WordTokenizer, restore_tokenizer


def test_ids_count_from_one_in_the_order_of_the_tokens() -> None:
    vocabulary = Vocabulary(["b", "a", "<s>"])
    assert vocabulary.tokens == ("b", "a", "<s>")
    assert dict(vocabulary.ids) == {"b": 1, "a": 2, "<s>": 3}
    assert (vocabulary.meta_id, len(vocabulary)) == (3, 3)


def test_the_meta_token_is_found_wherever_it_stands() -> None:
    assert Vocabulary(["a", "<s>", "b"]).meta_id == 2


def test_without_a_meta_token_its_id_is_that_of_padding() -> None:
    vocabulary = Vocabulary(["a", "b"])
    assert (vocabulary.meta_id, len(vocabulary)) == (0, 2)


def test_vocabularies_are_equal_by_their_tokens_in_order() -> None:
    vocabulary = Vocabulary(["a", "b", "<s>"])
    assert vocabulary == Vocabulary(("a", "b", "<s>"))
    assert hash(vocabulary) == hash(Vocabulary(("a", "b", "<s>")))
    assert vocabulary != Vocabulary(["b", "a", "<s>"])
    assert vocabulary != ["a", "b", "<s>"]
    assert repr(vocabulary) == "Vocabulary(3 tokens)"


def test_a_vocabulary_cannot_be_changed() -> None:
    tokens = ["a", "<s>"]
    vocabulary = Vocabulary(tokens)
    tokens.append("b")
    assert len(vocabulary) == 2
    with pytest.raises(TypeError):
        vocabulary.ids["b"] = 3  # type: ignore[index]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["a", 5, "<s>"], "a vocabulary holds strings of at least 1 character; id 2 is 5."),
        (["", "<s>"], "a vocabulary holds strings of at least 1 character; id 1 is ''."),
        ([["a"], "<s>"], "a vocabulary holds strings of at least 1 character; id 1 is ['a']."),
        (["a", "b", "a", "<s>"], "the vocabulary holds the token 'a' twice."),
    ],
)
def test_what_is_no_vocabulary_is_refused(tokens: list[str], message: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        Vocabulary(tokens)
    assert str(caught.value) == message


def test_a_saved_tokenizer_is_made_again() -> None:
    tokenizer = restore_tokenizer("char", ["a", "b", "<s>"])
    assert isinstance(tokenizer, CharTokenizer)
    assert tokenizer.encode("ba").tolist() == [2, 1]
    tokenizer = restore_tokenizer("word", ["a", "bc", "<s>"])
    assert isinstance(tokenizer, WordTokenizer)
    assert tokenizer.encode("bc a").tolist() == [2, 1]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ModelFileError) as caught:
        restore_tokenizer("byte", ["a", "<s>"])  # type: ignore[arg-type]
    assert str(caught.value) == (
        "the model's tokenizer is 'byte'; this version knows 'char' and 'word'."
    )
