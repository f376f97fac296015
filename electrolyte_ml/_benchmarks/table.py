"""Table of a benchmark, as text."""

from __future__ import annotations

from typing import Any

from electrolyte_ml._benchmarks.cases import COULOMB, FORCES, GRADIENT

PEERS = ("motep", "OpenMM")  # beginnings of their names in the table


def format_benchmark(result: dict[str, Any]) -> str:
    """Return the table: median and quartiles in µs per atom per call, and the speed relative to other codes."""
    rows, machine = result["rows"], result["machine"]
    peers = {(r["task"], r["level"], r["atoms"]): r for r in rows if r["code"].startswith(PEERS)}
    lines = [
        f"{machine['processor']}, {machine['cores']} cores; one core multiplies and adds {result['peak_gflops']:.1f} "
        f"GFlop/s; µs per atom and call",
        f"{'task':23}{'level':>6}{'atoms':>7}{'threads':>8}  {'code':22}{'median':>10}{'quartiles':>21}  remarks",
    ]
    for r in rows:
        remarks = []
        peer = peers.get((r["task"], r["level"], r["atoms"]))
        if peer is not None and r is not peer and "ratio" not in r:  # motep has no charges
            remarks.append(f"{peer['median'] / r['median']:.3g} x {peer['code'].split()[0]}")
        if "gflops" in r:
            remarks.append(f"{r['gflops']:.1f} GFlop/s, {100 * r['peak_share']:.0f} % of the peak")
        if "outside" in r:
            remarks.append(f"{100 * r['outside']:.0f} % outside the kernel")
        if "ratio" in r:
            remarks.append(f"{r['ratio']:.2f} x the time of {r['baseline']}")
        if r["task"] == COULOMB:
            remarks.append(f"{r['median'] * r['atoms'] / 1000:.3g} ms")
        if "error" in r:
            remarks.append(f"error of the forces {r['error']:.1e} eV/Å")
        if r.get("note"):
            remarks.append(r["note"])
        quartiles = f"{r['low']:.4g}–{r['high']:.4g}"
        level = "" if r["level"] is None else r["level"]
        lines.append(
            f"{r['task']:23}{level:>6}{r['atoms']:7d}{r['threads']:8d}  {r['code']:22}{r['median']:10.4g}"
            f"{quartiles:>21}  {', '.join(remarks)}".rstrip()
        )
    lines += [f"{name}: {value}" for name, value in result["memory"].items()]
    if {FORCES, GRADIENT} & {r["task"] for r in rows} and not any(r["code"].startswith("motep") for r in rows):
        lines.append("motep is not installed (the extra `crosscheck`) or not among the rows: no ratios")
    return "\n".join(lines)
