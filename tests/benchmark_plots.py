"""The plots of `docs/benchmarks.md`: the cost of waiting and of watching, from one to 10,000."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark_results import DOCS, Point, Results, load_results

IMAGES = DOCS / "images"
PANELS = {
    "requests": "requests in one interval",
    "connections": "TCP connections",
    "memory": "MiB over an idle runner",
}
# Colours and grey that can be read on white and on black.
OURS, PEER, TEXT = "#2f81f7", "#d4730b", "#808080"
LEAST = 0.3  # a logarithmic axis has no zero


def plot(results: Results) -> list[Path]:
    """Draw a plot for each curve; return the files, or none without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError:
        return []
    mpl.use("svg")
    # The same figures give the same file.
    mpl.rcParams.update({"svg.hashsalt": "benchmarks", "svg.fonttype": "none"})
    mpl.rcParams.update({"font.size": 9, "font.family": "sans-serif"})
    return [draw(name, lines) for name, lines in results["curves"].items()]


def draw(name: str, lines: dict[str, list[Point]]) -> Path:
    """Draw one plot, with a panel for each kind of cost."""
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(PANELS), figsize=(9, 3.1), layout="constrained")
    for axis, (key, title) in zip(axes, PANELS.items(), strict=True):
        for label, points in lines.items():
            peer = label.startswith("Http")
            counts = [one["count"] for one in points]
            values = [max(float(one[key]), LEAST) for one in points]  # type: ignore[literal-required]
            style: dict[str, Any] = {"color": PEER, "marker": "s"} if peer else {"color": OURS, "marker": "o"}
            axis.plot(counts, values, label=label, markersize=4, linewidth=1.6, **style)
        axis.set(xscale="log", yscale="log", title=title, xlabel=f"{name}, log scale")
        style_axis(axis)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, labelcolor=TEXT)
    file = IMAGES / f"benchmark-{name.replace(' ', '-')}.svg"
    figure.savefig(file, transparent=True, metadata={"Date": None})
    plt.close(figure)
    return file


def style_axis(axis: Any) -> None:
    """Give an axis the colours that can be read on light and dark pages."""
    axis.grid(visible=True, color=TEXT, alpha=0.25, linewidth=0.6)
    axis.minorticks_off()
    axis.tick_params(colors=TEXT)
    axis.title.set_color(TEXT)
    axis.title.set_fontsize(9)
    axis.xaxis.label.set_color(TEXT)
    for spine in axis.spines.values():
        spine.set_color(TEXT)


if __name__ == "__main__":
    plot(load_results())
