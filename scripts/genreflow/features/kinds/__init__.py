"""Kinds of feature sets, a module each: a class of `FeatureSet`, and the keys that ask for it."""
