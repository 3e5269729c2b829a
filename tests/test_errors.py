import pytest

from textgenrnn import errors

TREE = {
    "ConfigError": ValueError,
    "DataError": ValueError,
    "FileAccessError": OSError,
    "ModelFileError": ValueError,
    "NotTrainedError": RuntimeError,
    "MissingExtraError": ImportError,
}


@pytest.mark.parametrize(("name", "builtin"), TREE.items())
def test_each_error_is_caught_by_the_base_class_and_by_its_builtin(
    name: str, builtin: type[Exception]
) -> None:
    error = getattr(errors, name)
    for caught in (errors.TextgenrnnError, builtin):
        with pytest.raises(caught, match=r"^what to do$"):
            raise error("what to do")


def test_the_tree_is_complete_and_drawn_in_the_docstring() -> None:
    assert set(errors.__all__) == {*TREE, "TextgenrnnError"}
    for name, builtin in TREE.items():
        assert f"{name} ({builtin.__name__})" in (errors.__doc__ or "")
