"""What is wrong on this machine, in the words of the person who stands before it (docs/device.md).

One file a family of checks; `checks.py` lists them. A check looks, changes nothing, and answers with
findings.
"""
