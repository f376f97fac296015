"""The page that shows molecules in three dimensions: one self-contained HTML file, which needs no network."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from electrolyte_ml.errors import InputError

_CONTACT = 1.35  # sums of covalent radii: a cation and a donor nearer than this are joined, Li-O 2.6, Na-O 3.1 Å
CHART = 126  # height of the chart and the controls of a page with several frames, pixels

_PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>TITLE</title></head>
<body style="margin:0;background:white;font:12px sans-serif;color:#6B6B6B">
<canvas id="c" width="WIDTH" height="HEIGHT" style="cursor:grab;display:block" role="img" aria-label="TITLE"></canvas>
<div id="p" hidden>
<canvas id="h" width="WIDTH" height="96" style="cursor:crosshair;display:block" aria-hidden="true"></canvas>
<button id="b" style="width:5em">Play</button>
<input id="s" type="range" min="0" value="0" style="width:45%;vertical-align:middle" aria-label="frame">
<span id="t"></span></div>
<script>
const D = DATA, c = document.getElementById('c'), g = c.getContext('2d'), n = D.frames.length;
let R = [[1,0,0],[0,0.94,-0.34],[0,0.34,0.94]], zoom = 1, held = null, now = 0;
const mul = (A, B) => A.map(r => B[0].map((_, j) => r.reduce((s, v, k) => s + v * B[k][j], 0)));
function draw() {
  const F = D.frames[now], scale = zoom * 0.45 * Math.min(c.width, c.height) / D.reach;
  const p = D.radii.map((_, a) => [0,1,2].map(i => [0,1,2].reduce((s, k) => s + R[i][k] * F.x[3 * a + k] / 100, 0)));
  const at = q => [c.width / 2 + scale * q[0], c.height / 2 - scale * q[1]];
  g.clearRect(0, 0, c.width, c.height);
  const items = D.radii.map((_, i) => ({z: p[i][2], i}));
  F.b.forEach(b => items.push({z: (p[b[0]][2] + p[b[1]][2]) / 2 - 0.01, b}));
  items.sort((u, v) => u.z - v.z).forEach(t => {
    if (t.b) {
      const u = at(p[t.b[0]]), v = at(p[t.b[1]]);
      g.beginPath(); g.moveTo(...u); g.lineTo(...v);
      g.setLineDash(t.b[2] ? [4, 4] : []);
      g.lineWidth = (t.b[2] ? 0.06 : 0.16) * scale; g.strokeStyle = t.b[2] ? '#7B3294' : '#9A9A9A'; g.stroke();
      g.setLineDash([]);
    } else {
      const colour = D.palette[F.c[t.i]], [x, y] = at(p[t.i]), r = D.radii[t.i] * scale;
      const s = g.createRadialGradient(x - r / 3, y - r / 3, r / 8, x, y, r);
      s.addColorStop(0, 'white'); s.addColorStop(0.35, colour); s.addColorStop(1, colour);
      g.beginPath(); g.arc(x, y, r, 0, 7); g.fillStyle = s; g.fill();
      g.lineWidth = 0.7; g.strokeStyle = '#333'; g.stroke();
      if (D.symbols && r > 7) {
        g.font = Math.round(r) + 'px sans-serif'; g.textAlign = 'center'; g.textBaseline = 'middle';
        g.lineWidth = 3; g.strokeStyle = 'white'; g.strokeText(D.symbols[t.i], x, y);
        g.fillStyle = '#222'; g.fillText(D.symbols[t.i], x, y);
        g.font = '12px sans-serif'; g.textAlign = 'left'; g.textBaseline = 'alphabetic';
      }
    }
  });
  g.fillStyle = '#6B6B6B'; g.font = '12px sans-serif'; g.fillText('drag to turn, wheel to zoom', 8, c.height - 8);
  if (D.legend) legend();
}
function legend() {
  const x = c.width - 60, top = 34, height = c.height - 90, steps = D.palette.length;
  D.palette.forEach((colour, k) => {
    g.fillStyle = colour; g.fillRect(x, top + height * (1 - (k + 1) / steps), 14, height / steps + 1);
  });
  g.strokeStyle = '#333'; g.lineWidth = 0.7; g.strokeRect(x, top, 14, height);
  g.fillStyle = '#333'; g.fillText(D.legend.label, x - 4, top - 14);
  D.legend.ticks.forEach(([place, text]) => g.fillText(text, x + 18, top + height * (1 - place) + 4));
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
if (n > 1) {
  const h = document.getElementById('h'), k = h.getContext('2d'), s = document.getElementById('s');
  const b = document.getElementById('b'), t = document.getElementById('t'), left = 40, right = h.width - 8;
  let timer = null;
  document.getElementById('p').hidden = false; s.max = n - 1;
  const X = i => left + (right - left) * i / (n - 1), Y = v => 90 - 84 * v;
  const show = i => {
    now = i; s.value = i; t.textContent = D.frames[i].text; draw();
    k.clearRect(0, 0, h.width, h.height); k.font = '11px sans-serif'; k.lineWidth = 1;
    D.levels.forEach(([v, name]) => {
      k.strokeStyle = '#BBB'; k.setLineDash([4, 3]); k.beginPath();
      k.moveTo(left, Y(v)); k.lineTo(right, Y(v)); k.stroke(); k.setLineDash([]);
      k.fillStyle = '#6B6B6B'; k.fillText(name, 2, Y(v) + 4);
    });
    k.strokeStyle = '#0072B2'; k.lineWidth = 1.5; k.beginPath();
    D.frames.forEach((f, i) => i ? k.lineTo(X(i), Y(f.v)) : k.moveTo(X(i), Y(f.v)));
    k.stroke();
    k.fillStyle = '#D55E00'; k.beginPath(); k.arc(X(i), Y(D.frames[i].v), 4.5, 0, 7); k.fill();
  };
  const pause = () => { clearInterval(timer); timer = null; b.textContent = 'Play'; };
  b.onclick = () => {
    if (timer) return pause();
    b.textContent = 'Pause'; timer = setInterval(() => show((now + 1) % n), 80);
  };
  s.oninput = () => { pause(); show(+s.value); };
  const seek = e => {
    const share = (e.offsetX - left) / (right - left);
    pause(); show(Math.max(0, Math.min(n - 1, Math.round(share * (n - 1)))));
  };
  h.onpointerdown = e => { h.setPointerCapture(e.pointerId); seek(e); };
  h.onpointermove = e => { if (e.buttons) seek(e); };
  show(0);
} else draw();
</script></body></html>"""


class View:
    """A view of molecules for a notebook: one self-contained HTML frame, which works offline."""

    def __init__(self, page: str, width: int, height: int, title: str) -> None:
        self.page, self.width, self.height, self.title = page, width, height, title

    def __repr__(self) -> str:
        return f"View of {self.width} x {self.height} pixels, which a notebook shows"

    def _repr_html_(self) -> str:
        source = html.escape(self.page, quote=True)
        return (
            f'<iframe srcdoc="{source}" width="{self.width}" height="{self.height}" sandbox="allow-scripts" '
            f'title="{html.escape(self.title, quote=True)}" style="border:1px solid #E6E6E6"></iframe>'
        )


def scene(data: Mapping[str, Any], title: str, width: int, height: int) -> View:
    """Return the view of atoms in one frame, or in several that can be played.

    Parameters
    ----------
    data
        `reach` (Å); `radii` (N,) in Å; `palette`, colours; `frames`, each with `x`, the 3 N coordinates in 0.01 Å, `b`,
        triples of two bonded atoms and 1 for a contact or 0 for a bond, and `c`, the place of each atom's colour in the
        palette. Several frames also have `text` and `v`, a number from 0 to 1 that is drawn against time; `levels` are
        then lines at such numbers, with names. `symbols` (N,) are written on atoms, and `legend` has a `label` and
        `ticks`, pairs of a place from 0 to 1 and a text.
    title
        Short description of what is shown.
    width, height
        Of the molecules, in pixels.
    """
    page = _PAGE.replace("WIDTH", str(width)).replace("HEIGHT", str(height)).replace("TITLE", html.escape(title))
    page = page.replace("DATA", json.dumps(data, separators=(",", ":")))
    return View(page, width + 2, height + 2 + (CHART if len(data["frames"]) > 1 else 0), title)


def reach(positions: np.ndarray) -> float:
    """Return the radius of a sphere about the origin that holds atoms at positions (..., 3), Å."""
    return round(float(np.linalg.norm(positions, axis=-1).max()) + 1.0, 2)


def hundredths(positions: np.ndarray) -> list[int]:
    """Return positions (N, 3) in Å as 3 N whole numbers of 0.01 Å."""
    return [int(v) for v in np.rint(100 * positions).ravel()]


def triples(bonds: np.ndarray, contacts: np.ndarray) -> list[list[int]]:
    """Return bonds (m, 2) and contacts (k, 2) as the two atoms and 0 or 1."""
    return [[int(i), int(j), kind] for kind, pairs in enumerate((bonds, contacts)) for i, j in pairs]


def drawn(atoms: Atoms, cutoffs: Mapping[str, float] | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return centred positions (n, 3) Å, bonds (m, 2), and contacts of cations to donors (k, 2).

    Contacts are shorter than the cutoff (Å) of the donor's element, or than `_CONTACT` covalent radii.
    """
    from electrolyte_ml.structures.bonding import NEVER_BONDED
    from electrolyte_ml.structures.bonding import bonds as find_bonds

    if not len(atoms):
        raise InputError("there are no atoms to show")
    alone = Atoms(atoms.numbers, atoms.positions)
    cation = np.isin(atoms.numbers, NEVER_BONDED)
    radii = covalent_radii[atoms.numbers]
    longest = np.where(np.isin(atoms.numbers, (7, 8, 9)), _CONTACT * (radii[:, None] + radii), 0.0)
    if cutoffs is not None:
        longest[:] = [cutoffs.get(symbol, 0.0) for symbol in atoms.symbols]
    apart = np.linalg.norm(atoms.positions[:, None] - atoms.positions[None], axis=2)
    contacts = np.argwhere(cation[:, None] & ~cation & (apart < longest))
    return atoms.positions - atoms.positions.mean(axis=0), find_bonds(alone), contacts


def radius(z: int) -> float:
    """Return the radius of an element in views and pictures, Å."""
    return 0.45 * float(covalent_radii[z]) + 0.1
