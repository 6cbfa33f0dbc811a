"""What edge and core agree on: requests, answers, problems, ids, keys, frames, settings. Pure."""
