// Times and sizes as people read them.

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

const twoDigits = (value: number): string => String(value).padStart(2, "0");

/** `0s`, `42s`, `1m13s`, `2h04m`, `3d02h`: two units at most. Milliseconds in. */
export function formatDuration(milliseconds: number): string {
  const total = Math.max(0, Math.floor(milliseconds / second) * second);
  if (total < minute) return `${total / second}s`;
  if (total < hour) return `${Math.floor(total / minute)}m${twoDigits((total % minute) / second)}s`;
  if (total < day) return `${Math.floor(total / hour)}h${twoDigits(Math.floor((total % hour) / minute))}m`;
  return `${Math.floor(total / day)}d${twoDigits(Math.floor((total % day) / hour))}h`;
}

/** `just now`, `3 min ago`, `5 h ago`, `12 d ago`. A time in the future is a clock that is off: `just now`. */
export function formatAgo(then: Date, now: Date): string {
  const passed = now.getTime() - then.getTime();
  if (Number.isNaN(passed)) return "at an unknown time";
  if (passed < minute) return "just now";
  if (passed < hour) return `${Math.floor(passed / minute)} min ago`;
  if (passed < 2 * day) return `${Math.floor(passed / hour)} h ago`;
  return `${Math.floor(passed / day)} d ago`;
}

/** `14:08:58Z`: for lines that are read next to other logs. */
export const formatUtcTime = (time: Date): string => `${time.toISOString().slice(11, 19)}Z`;

/** `2026-11-23 15:08:58 +0100`: the local time, with its distance from UTC. */
export function formatAbsolute(time: Date): string {
  if (Number.isNaN(time.getTime())) return "at an unknown time";
  const date = [time.getMonth() + 1, time.getDate()].map(twoDigits).join("-");
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(twoDigits).join(":");
  const offset = -time.getTimezoneOffset();
  const distance = [Math.abs(offset) / 60, Math.abs(offset) % 60]
    .map((part) => twoDigits(Math.floor(part)))
    .join("");
  return `${time.getFullYear()}-${date} ${clock} ${offset < 0 ? "-" : "+"}${distance}`;
}

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `512 B`, `1.5 GiB`, `120 GiB`. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 9.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit] ?? ""}`;
}
