"""The results as bars: each row has its own scale, since gigabits and microseconds share none."""

from __future__ import annotations

from html import escape
from typing import Final

from bench_experiments import KERNEL, PEER, RAW, USERTCP
from bench_results import TITLES, Results, Row, number, times

_COLORS: Final = {USERTCP: "#1f6feb", KERNEL: "#8b949e", RAW: "#d29922", PEER: "#8957e5"}
_WIDTH, _LEFT, _RIGHT, _MARGIN = 960, 350, 180, 16
_BAR, _GAP, _TOP = 14, 12, 92
_STYLE: Final = """\
text{font:13px system-ui,sans-serif;fill:#1f2328}
.small{font-size:11px;fill:#59636e}
.title{font-size:17px;font-weight:600}
"""


def svg(results: Results) -> str:
    """One SVG file."""
    parts = []
    y = _TOP
    for row in results.rows:
        drawn = _row(row, y)
        if drawn:
            parts.extend(drawn)
            y += max(len(_systems(row)), 2) * _BAR + _GAP
    height = y + 2 * _MARGIN
    machine = results.machine
    where = f"{machine['cpu']}, Linux {machine['kernel']}, {machine['python']}, {machine['date']}"
    how = f"medians of {results.options['runs']:g} runs; each row has its own scale"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img">',
            "<title>usertcp beside kernel sockets and the raw TUN</title>",
            f"<style>{_STYLE}</style>",
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text class="title" x="{_MARGIN}" y="30">'
            f"usertcp {escape(machine['usertcp'])} ({escape(machine['commit'])})</text>",
            *_legend(),
            *parts,
            f'<text class="small" x="{_MARGIN}" y="{height - _MARGIN}">{escape(f"{how}; {where}")}</text>',
            "</svg>\n",
        ]
    )


def _legend() -> list[str]:
    parts = []
    for index, (system, color) in enumerate(_COLORS.items()):
        x = _LEFT + index * 150
        parts.append(f'<rect x="{x}" y="54" width="12" height="12" fill="{color}"/>')
        parts.append(f'<text x="{x + 18}" y="65">{escape(TITLES[system])}</text>')
    return parts


def _systems(row: Row) -> list[str]:
    return [system for system in _COLORS if row.median(system) is not None]


def _row(row: Row, y: int) -> list[str]:
    systems = _systems(row)
    if not systems:
        return []
    largest = max(row.median(system) or 0.0 for system in systems)
    better = "more is better" if row.metric.more_is_better else "less is better"
    middle = y + len(systems) * _BAR / 2 - 2
    parts = [
        f'<text x="{_LEFT - 10}" y="{middle:g}" text-anchor="end">{escape(row.metric.title)}'
        f'<tspan class="small" x="{_LEFT - 10}" dy="13">{escape(row.metric.unit)}, {better}</tspan></text>'
    ]
    for index, system in enumerate(systems):
        value = row.median(system) or 0.0
        length = (_WIDTH - _LEFT - _RIGHT) * value / largest if largest else 0.0
        top = y + index * _BAR
        ratio = row.ratio(system) if system != USERTCP else None
        beside = f"{number(value)} {row.metric.unit}" + (f" (usertcp {times(ratio)})" if ratio else "")
        parts.append(
            f'<rect x="{_LEFT}" y="{top}" width="{max(length, 1):.1f}" height="{_BAR - 2}" fill="{_COLORS[system]}"/>'
        )
        parts.append(
            f'<text class="small" x="{_LEFT + max(length, 1) + 6:.1f}" y="{top + _BAR - 4}">{escape(beside)}</text>'
        )
    return parts
