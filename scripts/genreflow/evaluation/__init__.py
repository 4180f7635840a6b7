"""What predictions are worth: metrics, intervals, tests, costs, and the published results."""
