import pytest
import soundfile
from made.clips import RATE


@pytest.fixture
def write(tmp_path):
    """Return a function that writes samples into a WAV."""

    def write(samples, name="7.wav", rate=RATE, **settings):
        soundfile.write(tmp_path / name, samples, rate, **settings)
        return tmp_path / name

    return write
