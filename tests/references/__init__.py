"""Every score once more, as slowly and plainly as it can be said, so that a reader believes it at sight.

So are the images that SeizureNet looks at. Nothing here is fast, and nothing here calls the scorers of `validation`: a
fast score is right when it equals its reference. A recording is a row of ticks of a tenth of a second (or of seconds),
each in an event or not.
"""
