"""Cells that several browser tests run."""

IMPORTS = "import iotnb\nfrom iotnb.widgets import DevicePicker, LoginPanel, SecretField"

FLEET = """
import numpy as np, pandas as pd

def fleet(n):
    i = np.arange(n)
    frame = pd.DataFrame({
        "device": pd.Series([f"{k:07d}" for k in 4711 + i * 3], dtype="str"),
        "name": pd.Series([f"Pump {k:05d}, hall {k % 17}" for k in i], dtype="str"),
        "type": pd.Categorical(np.array(["c8y_Linux", "c8y_Sensor", "machine"])[i % 3]),
        "status": pd.Categorical(np.array(["online", "offline"])[(i % 7 == 0).astype(int)]),
        "last_seen": pd.Timestamp("2026-11-20T08:00:00Z") - pd.to_timedelta(i * 37 % 100000, unit="s"),
        "parent": pd.Series([""] * n, dtype="str"),
        "owner": pd.Series(["admin"] * n, dtype="str"),
    })
    if n > 3:
        frame.loc[2, "name"] = "</script><img src=x onerror=window.pwned=1>"
        frame.loc[3, "type"] = frame.loc[0, "type"]
    return frame
"""

READ_GRID = """() => {
  const rows = [...document.querySelectorAll('.iotnb-canvas .iotnb-row:not([hidden])')];
  return rows.sort((a, b) => a.dataset.i - b.dataset.i).map((row) => ({
    i: Number(row.dataset.i), selected: row.getAttribute('aria-selected') === 'true',
    cells: [...row.children].map((cell) => cell.textContent),
  }));
}"""

# From an input event to the frame in which the rows of that search are painted, in milliseconds.
SEARCH = """async (text) => {
  const grid = document.querySelector('.iotnb-grid'), input = grid.querySelector('input[type=search]');
  input.value = text;
  const began = performance.now();
  input.dispatchEvent(new Event('input', { bubbles: true }));
  while (grid.dataset.q !== text) await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""
