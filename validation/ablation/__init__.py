"""What a part of a detector is worth: the same patients, seed and split with the part and without it.

`paired` compares variants, `identity` asks whether features know the baby, `attention` whether weights know the focus;
`charts` and `page` show it. Nothing here decides anything: a part that makes no difference is a finding.
"""
