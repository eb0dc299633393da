// Times as the command line writes them (src/words/duration.ts; a test compares the two).
const minute = 60;
const hour = 3600;
const day = 86400;
const two = (value) => String(value).padStart(2, "0");

/** @param {number} total seconds */
export function spanText(total) {
  const s = Math.max(0, Math.floor(total));
  if (s < minute) return `${s}s`;
  if (s < hour) return `${Math.floor(s / minute)}m${two(s % minute)}s`;
  if (s < day) return `${Math.floor(s / hour)}h${two(Math.floor((s % hour) / minute))}m`;
  return `${Math.floor(s / day)}d${two(Math.floor((s % day) / hour))}h`;
}

/** @param {number} seconds that passed */
export function agoText(seconds) {
  if (seconds < minute) return "just now";
  if (seconds < hour) return `${Math.floor(seconds / minute)} min ago`;
  if (seconds < 2 * day) return `${Math.floor(seconds / hour)} h ago`;
  return `${Math.floor(seconds / day)} d ago`;
}
