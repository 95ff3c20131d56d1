from setuptools import setup

NAMES = (
    "abstract",
    "fails",
    "fails_at_import",
    "incomplete",
    "lives_on",
    "nothing",
    "of_another_class",
    "stops_the_program",
    "too_new",
    "too_old",
    "unhashable:plugin",
    "unmarked",
    "versionless",
    "with_a_wrong_argument",
    "with_an_unknown_hook",
    "without_a_module",
    "with_text_as_version",
    "a_class:Plugin",
    "setting_twice",
    "settings_of_text",
)

setup(
    name="stranger-broken",
    version="6.6",
    packages=["stranger_broken"],
    entry_points={
        "backy2.sources": [f"{name.partition(':')[0]} = stranger_broken.{name}" for name in NAMES],
        "backy2.data_backends": ["fails_at_import = stranger_broken.fails_at_import"],
        "backy2.listeners": ["fails_at_import = stranger_broken.fails_at_import"],
        "backy2.formatters": ["fails_at_import = stranger_broken.fails_at_import"],
        "backy2.commands": [
            "explode = stranger_broken.fails_at_import:Command",
            "pretend = stranger_broken.a_class:Plugin",
        ],
    },
)
