"""The public door for commands: what a verb of a stranger's distribution is made of.

A verb is a class that derives from a kind of :class:`Verb`, and is named by an entry point of the group
``backy2.commands``. It takes its place beside ours: its docstring is its help, its lists and records come in every output
format, errors of our tree end it with their exit codes. ``API_VERSION`` of :mod:`backy2_core.api` covers this module too.

:class:`PlainVerb` prints no result of itself: implement ``act``. :class:`ListVerb` prints rows: name the ``columns`` and
implement ``rows``. :class:`RecordVerb` prints one record: name the ``columns`` and implement ``record``. All take their
arguments by ``add_arguments``, and may say an ``example`` and by ``exits`` which errors they end with.

``with self.installation() as installation:`` opens what the configuration describes, each thing when it is first used:
``installation.meta``, the :class:`backy2_core.api.MetaBackend` (provisional), and ``installation.data``, the
:class:`backy2_core.api.DataBackend`. Nothing else of it is promised. Do not write to either from a command without a job of
its own; whoever deletes blobs by hand loses data.

:class:`Moment`, :class:`Names` and :class:`Size` are cells for times, lists of names and sizes, which look one way in a
table and another way in JSON.
"""

from __future__ import annotations

from backy2_core.cli.cells import Moment, Names, Size
from backy2_core.cli.verbs import ListVerb, PlainVerb, RecordVerb, Verb

__all__ = ["ListVerb", "Moment", "Names", "PlainVerb", "RecordVerb", "Size", "Verb"]
