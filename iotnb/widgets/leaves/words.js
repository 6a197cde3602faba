// Numbers and times in words.
const number = (n) => n.toLocaleString("en-US");

function ago(seconds) {
  if (seconds < 10) return "just now";
  if (seconds < 90) return `${Math.round(seconds / 10) * 10} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return `${Math.round(seconds / 3600)} h ago`;
}

// A length of time with its two largest units: 4.7 s, 1 h 41 min, 3 d 2 h.
function lasting(ms) {
  if (!Number.isFinite(ms)) return "";
  const seconds = ms / 1000;
  if (seconds < 60) return seconds < 9.95 ? `${Math.max(0, seconds).toFixed(1)} s` : `${Math.round(seconds)} s`;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const at = Math.min(units.findIndex(([, size]) => seconds >= size), 2);
  const [large, small] = [units[at], units[at + 1]];
  let first = Math.floor(seconds / large[1]), rest = Math.round((seconds - first * large[1]) / small[1]);
  if (rest * small[1] >= large[1]) { first += 1; rest = 0; }
  return rest ? `${first} ${large[0]} ${rest} ${small[0]}` : `${first} ${large[0]}`;
}

// A moment (milliseconds) in UTC: 2026-11-20 14:07:58.
const moment = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
