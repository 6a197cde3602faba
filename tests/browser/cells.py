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

# ten to a parent, with a document each
FAMILY = f"""{FLEET}
def family(n):
    frame = fleet(n)
    head = frame["device"].iloc[np.arange(n) // 10 * 10].reset_index(drop=True)
    frame["parent"] = head.where(np.arange(n) % 10 > 0, "")
    frame["document"] = '{{"id":"' + frame["device"] + '","note":"<b>bold</b>","password":"p-4711-leak"}}'
    return frame
"""

# one series a second long, with a hole and a spike
MILLIONS = f"""{IMPORTS}
import numpy as np, pandas as pd

def one(text, n):
    return pd.Categorical.from_codes(np.zeros(n, np.int8), [text])

def series(n):
    time = pd.DatetimeIndex(np.datetime64("2026-01-01", "us") + np.arange(n) * np.timedelta64(1, "s"))
    value = np.sin(np.arange(n) / 40_000)
    value[n // 3 : n // 2] = np.nan
    value[123_456] = 42
    text = pd.Categorical.from_codes(np.full(n, -1, np.int8), [])
    return pd.DataFrame({{"time": time.tz_localize("UTC"), "device": one("1", n), "series": one("T", n),
                          "value": value, "text": text, "unit": one("C", n)}}, copy=False)"""

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
