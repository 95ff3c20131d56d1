"""The cleanup protocol, rule by rule: jobs on the real engine and a real database, one step at a time.

Each rule has tests in which it is switched off and the harm is seen: the same schedule passes with the rule. Several rules are
walls behind one another; such a test takes the other wall down first, and its docstring says which.
"""
