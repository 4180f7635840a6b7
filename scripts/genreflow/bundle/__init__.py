"""A learner that travels: packing it, reading it safely, predicting new audio by it."""
