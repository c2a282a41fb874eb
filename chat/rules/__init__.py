"""The rules, one file per feature. A rule is a function of values: (ask, turn) to a Change, None, or Refused."""
