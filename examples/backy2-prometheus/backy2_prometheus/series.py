"""The figures with their values: read from Prometheus' text format, changed, and written in it again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families

from backy2_prometheus.changes import Change
from backy2_prometheus.figures import FIGURES

Key = tuple[str, tuple[str, ...]]


class Series:
    """Values by figure and labels; a collector as prometheus_client has them. For one thread at a time."""

    def __init__(self) -> None:
        self._values: dict[Key, float] = {}

    @classmethod
    def parse(cls, text: str) -> Series:
        """What stands in a text of ours; figures that are not known, or have other labels, are passed over.

        Raises :class:`ValueError` for what is no text of Prometheus.
        """
        series = cls()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                figure = FIGURES.get(sample.name)
                if figure is not None and set(sample.labels) == set(figure.labels):
                    key = sample.name, tuple(sample.labels[label] for label in figure.labels)
                    series._values[key] = sample.value
        return series

    def render(self) -> bytes:
        """The text."""
        return generate_latest(self.registry())

    def registry(self) -> CollectorRegistry:
        """A registry that holds these values and nothing else."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return registry

    def change(self, changes: Iterable[Change]) -> None:
        """Make these changes in order."""
        for change in changes:
            key = change.figure, change.labels
            if change.only_at and self._values.get((change.only_at, change.labels)) != change.only_value:
                continue
            self._values[key] = change.value + (self._values.get(key, 0.0) if change.adds else 0.0)

    def forget(self, before_s: float) -> None:
        """Drop all values of names whose youngest time lies before ``before_s``, in seconds since 1970."""
        youngest: dict[str, float] = {}
        for key, value in self._values.items():
            name = _name_of(key)
            if name and key[0].endswith("_timestamp_seconds"):
                youngest[name] = max(value, youngest.get(name, 0.0))
        gone = {name for name, time_s in youngest.items() if time_s < before_s}
        self._values = {key: value for key, value in self._values.items() if _name_of(key) not in gone}

    def collect(self) -> Iterator[Metric]:
        """All metrics, for prometheus_client."""
        for name, figure in FIGURES.items():
            family = CounterMetricFamily if figure.is_counter else GaugeMetricFamily
            metric = family(name, figure.help, labels=figure.labels)
            rows = sorted((labels, value) for (known, labels), value in self._values.items() if known == name)
            for labels, value in rows:
                metric.add_metric(labels, value)
            if rows:
                yield metric


def _name_of(key: Key) -> str:
    figure, labels = key
    known = FIGURES[figure].labels
    return labels[known.index("name")] if "name" in known else ""
