"""Our own output formatters keep every promise."""

from __future__ import annotations

import pytest

from backy2_core.testing.formatter import Formatter, FormatterSuite
from backy2_plugins.formatters import csv, json, machine, table, value, yaml


class TestCsv(FormatterSuite):
    @pytest.fixture
    def formatter(self) -> Formatter:
        return csv.backy2_make_formatter()


class TestJson(FormatterSuite):
    @pytest.fixture
    def formatter(self) -> Formatter:
        return json.backy2_make_formatter()


class TestMachine(FormatterSuite):
    @pytest.fixture
    def formatter(self) -> Formatter:
        return machine.backy2_make_formatter()


class TestTable(FormatterSuite):
    @pytest.fixture
    def formatter(self) -> Formatter:
        return table.backy2_make_formatter()


class TestValue(FormatterSuite):
    @pytest.fixture
    def formatter(self) -> Formatter:
        return value.backy2_make_formatter()


class TestYaml(FormatterSuite):
    @pytest.fixture
    def formatter(self) -> Formatter:
        return yaml.backy2_make_formatter()
