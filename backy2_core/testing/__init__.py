"""The public kit for authors of plugins: conformance suites, reference objects in memory, fault injection.

Subclass a suite, give it the one fixture that its docstring names, and run pytest: each promise of the contract is one test.
"""
