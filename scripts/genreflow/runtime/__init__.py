"""What makes a script per job: log and progress, whole files, code digests, ending with its run.

Nothing here decides what a file holds, so that an edit makes nothing stale.
"""
