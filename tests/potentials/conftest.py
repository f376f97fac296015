"""What the tests of potentials' files share."""

import pytest

from electrolyte_ml.errors import InputError
from electrolyte_ml.potentials import load


@pytest.fixture
def refused(tmp_path):
    """Write a text as a potential's file and return the message with which it is refused, without the path."""

    def ask(text: str, **options) -> str:
        path = tmp_path / "p.mtp"
        path.write_text(text)
        with pytest.raises(InputError) as error:
            load(path, **options)
        message = str(error.value)
        assert message.startswith(str(path)) and "\n" not in message
        return message.removeprefix(str(path))

    return ask
