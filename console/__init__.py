"""What people look at: pages over what the platform did. Reads all but flows; decides nothing.

Acts (verify, sign, withdraw) are given to it by whoever starts it, so that every decision stays with `flows`.
"""
