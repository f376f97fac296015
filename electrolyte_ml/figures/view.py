"""Molecules in three dimensions: a view that the mouse turns, which works offline, and a still picture."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols, covalent_radii

from electrolyte_ml.errors import InputError
from electrolyte_ml.figures.style import GREY, caption, styled, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Colours that differ in lightness too: H white, C dark, O red-orange, F green, P orange, Li purple, N blue.
_COLOURS = {
    "H": "#F2F2F2",
    "C": "#4D4D4D",
    "O": "#D55E00",
    "F": "#009E73",
    "P": "#E69F00",
    "Li": "#7B3294",
    "N": "#0072B2",
}
_OTHER = "#56B4E9"
_CONTACT = 1.35  # sums of covalent radii: a cation and a donor nearer than this are joined, Li-O 2.6, Na-O 3.1 Å

_PAGE = """<!DOCTYPE html><html><body style="margin:0;background:white;font:12px sans-serif;color:#6B6B6B">
<canvas id="c" width="WIDTH" height="HEIGHT" style="cursor:grab;display:block"></canvas>
<script>
const D = DATA, c = document.getElementById('c'), g = c.getContext('2d');
let R = [[1,0,0],[0,0.94,-0.34],[0,0.34,0.94]], zoom = 1, held = null;
const mul = (A, B) => A.map(r => B[0].map((_, j) => r.reduce((s, v, k) => s + v * B[k][j], 0)));
function draw() {
  const scale = zoom * 0.45 * Math.min(c.width, c.height) / D.reach;
  const p = D.atoms.map(a => [0,1,2].map(i => R[i][0]*a.x[0] + R[i][1]*a.x[1] + R[i][2]*a.x[2]));
  const at = q => [c.width / 2 + scale * q[0], c.height / 2 - scale * q[1]];
  g.clearRect(0, 0, c.width, c.height);
  const items = D.atoms.map((a, i) => ({z: p[i][2], i}));
  D.bonds.forEach(b => items.push({z: (p[b[0]][2] + p[b[1]][2]) / 2 - 0.01, b}));
  items.sort((u, v) => u.z - v.z).forEach(t => {
    if (t.b) {
      const u = at(p[t.b[0]]), v = at(p[t.b[1]]);
      g.beginPath(); g.moveTo(...u); g.lineTo(...v);
      g.setLineDash(t.b[2] ? [4, 4] : []);
      g.lineWidth = (t.b[2] ? 0.06 : 0.16) * scale; g.strokeStyle = t.b[2] ? '#7B3294' : '#9A9A9A'; g.stroke();
      g.setLineDash([]);
    } else {
      const a = D.atoms[t.i], [x, y] = at(p[t.i]), r = a.r * scale;
      const s = g.createRadialGradient(x - r / 3, y - r / 3, r / 8, x, y, r);
      s.addColorStop(0, 'white'); s.addColorStop(0.35, a.c); s.addColorStop(1, a.c);
      g.beginPath(); g.arc(x, y, r, 0, 7); g.fillStyle = s; g.fill();
      g.lineWidth = 0.7; g.strokeStyle = '#333'; g.stroke();
    }
  });
  g.fillStyle = '#6B6B6B'; g.fillText('drag to turn, wheel to zoom', 8, c.height - 8);
}
c.onpointerdown = e => { held = [e.clientX, e.clientY]; c.setPointerCapture(e.pointerId); };
c.onpointerup = () => { held = null; };
c.onpointermove = e => {
  if (!held) return;
  const a = (e.clientX - held[0]) / 120, b = (e.clientY - held[1]) / 120;
  held = [e.clientX, e.clientY];
  const Y = [[Math.cos(a),0,Math.sin(a)],[0,1,0],[-Math.sin(a),0,Math.cos(a)]];
  const X = [[1,0,0],[0,Math.cos(b),-Math.sin(b)],[0,Math.sin(b),Math.cos(b)]];
  R = mul(X, mul(Y, R)); draw();
};
c.onwheel = e => { e.preventDefault(); zoom *= Math.exp(-e.deltaY / 600); draw(); };
draw();
</script></body></html>"""


class View:
    """A view of molecules for a notebook: one self-contained HTML frame, which works offline."""

    def __init__(self, page: str, width: int, height: int) -> None:
        self.page, self.width, self.height = page, width, height

    def __repr__(self) -> str:
        return f"View of {self.width} x {self.height} pixels, which a notebook shows"

    def _repr_html_(self) -> str:
        source = html.escape(self.page, quote=True)
        return (
            f'<iframe srcdoc="{source}" width="{self.width}" height="{self.height}" sandbox="allow-scripts" '
            'style="border:1px solid #E6E6E6"></iframe>'
        )


def view(atoms: Atoms, *, width: int = 560, height: int = 400) -> View:
    """Show molecules in a view that the mouse turns and zooms.

    Parameters
    ----------
    atoms
        Whole molecules, such as :meth:`electrolyte_ml.trajectories.Trajectory.cluster` returns; bonds across periodic
        boundaries are not drawn.
    width, height
        Size in pixels.

    Raises
    ------
    InputError
        If there are no atoms.
    """
    x, bonds, contacts = _drawn(atoms)
    data = {
        "reach": round(float(np.linalg.norm(x, axis=1).max()) + 1.0, 2),
        "atoms": [
            {"x": [round(float(v), 2) for v in place], "r": round(_radius(z), 2), "c": _colour(z)}
            for place, z in zip(x, atoms.numbers)
        ],
        "bonds": [[int(i), int(j), 0] for i, j in bonds] + [[int(i), int(j), 1] for i, j in contacts],
    }
    page = _PAGE.replace("WIDTH", str(width)).replace("HEIGHT", str(height))
    return View(page.replace("DATA", json.dumps(data, separators=(",", ":"))), width + 2, height + 2)


@styled
def picture(atoms: Atoms, title: str, *, reference: str, scale: str | None) -> Figure:
    """Draw molecules projected onto the plane of their two largest principal axes.

    Parameters
    ----------
    atoms
        Whole molecules; bonds across periodic boundaries are not drawn.
    title
        Title of the figure.
    reference, scale
        The level of theory behind the trajectory, and the scale.

    Raises
    ------
    InputError
        If there are no atoms.
    """
    from matplotlib.patches import Circle

    x, bonds, contacts = _drawn(atoms)
    _, _, axes_of_spread = np.linalg.svd(x, full_matrices=False)
    if len(axes_of_spread) == 3:
        x = x @ axes_of_spread.T
    figure, axes = subplots(size=(6.4, 4.8))
    depth = (x[:, 2] - x[:, 2].min()) / max(np.ptp(x[:, 2]), 1e-9)
    for pairs, options in (
        (bonds, {"color": "#9A9A9A", "lw": 2}),
        (contacts, {"color": "#7B3294", "lw": 1, "ls": ":"}),
    ):
        for i, j in pairs:
            axes.plot(*x[[i, j], :2].T, zorder=2 + depth[[i, j]].mean(), **options)
    for place, z, near in zip(x, atoms.numbers, depth):
        ball = Circle(place[:2], _radius(z), facecolor=_colour(z), edgecolor="#333333", lw=0.6, zorder=2.05 + near)
        axes.add_patch(ball)
    for z in np.unique(atoms.numbers):
        axes.plot([], [], "o", color=_colour(z), mec="#333333", label=chemical_symbols[z])
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set_aspect("equal")
    axes.margins(0.08)
    axes.axis("off")
    left, bottom = x[:, :2].min(axis=0) - 1.0
    axes.plot([left, left + 2.0], [bottom, bottom], color=GREY, lw=2)
    axes.text(left + 1.0, bottom - 0.2, "2 Å", ha="center", va="top", color=GREY)
    caption(figure, title, scale=scale, reference=reference, note="Dotted: a cation to the donors of its shell.")
    return figure


def _drawn(atoms: Atoms) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return centred positions (n, 3) Å, bonds (m, 2), and contacts of cations to donors (k, 2)."""
    from electrolyte_ml.structures.bonding import NEVER_BONDED
    from electrolyte_ml.structures.bonding import bonds as find_bonds

    if not len(atoms):
        raise InputError("there are no atoms to show")
    alone = Atoms(atoms.numbers, atoms.positions)
    cation = np.isin(atoms.numbers, NEVER_BONDED)
    donor = np.isin(atoms.numbers, (7, 8, 9))
    radii = covalent_radii[atoms.numbers]
    apart = np.linalg.norm(atoms.positions[:, None] - atoms.positions[None], axis=2)
    contacts = np.argwhere(cation[:, None] & donor & (apart < _CONTACT * (radii[:, None] + radii)))
    return atoms.positions - atoms.positions.mean(axis=0), find_bonds(alone), contacts


def _radius(z: int) -> float:
    return 0.45 * float(covalent_radii[z]) + 0.1


def _colour(z: int) -> str:
    return _COLOURS.get(chemical_symbols[z], _OTHER)
