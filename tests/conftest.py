import sys


def pytest_collection_finish(session):
    """Set up Keras before any test uses it: TensorFlow takes its threads once a process."""
    if "keras" in sys.modules:
        from genreflow import backend

        backend.configure(threads=1, seed=0)
