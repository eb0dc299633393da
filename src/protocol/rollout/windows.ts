// When orders may be given: weekdays and a time, in UTC or in a named zone.
import * as v from "valibot";

export const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof weekdays)[number];

const isZone = (zone: string): boolean => {
  try {
    return Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
};

export const Window = v.object({
  /** The days on which it opens; none means every day. */
  days: v.optional(v.pipe(v.array(v.picklist(weekdays)), v.maxLength(7)), []),
  /** `02:00`, when it opens. */
  start: v.pipe(v.string(), v.regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, "must be a time such as 02:00")),
  /** How long it stays open; it may pass midnight. */
  minutes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(24 * 60)),
  /** A time zone of the tz database: `Europe/Berlin`. */
  zone: v.optional(v.pipe(v.string(), v.maxLength(64), v.check(isZone, "is not a time zone")), "UTC"),
});
export type Window = v.InferOutput<typeof Window>;

const minuteMs = 60_000;
const dayMinutes = 24 * 60;

/** Always, where there is no window. */
export const isOpen = (windows: readonly Window[], now: Date): boolean =>
  windows.length === 0 || windows.some((window) => isWithin(window, now));

/** Now, where one is open; undefined where none ever opens again. To the minute. */
export function nextOpening(windows: readonly Window[], now: Date): Date | undefined {
  if (isOpen(windows, now)) return now;
  const openings = windows.flatMap((window) => openingOf(window, now) ?? []);
  return openings.toSorted((a, b) => a.getTime() - b.getTime())[0];
}

function isWithin({ days, start, minutes, zone }: Window, now: Date): boolean {
  const { day, minute } = localTime(now, zone);
  const since = minute - minuteOf(start);
  const opensOn = (of: number): boolean => days.length === 0 || days.some((each) => weekdays[of] === each);
  if (since >= 0) return since < minutes && opensOn(day);
  // It may have opened on the day before.
  return since + dayMinutes < minutes && opensOn((day + 6) % 7);
}

/** From hour to hour, because a change of the clock moves the start, and then to the minute. */
function openingOf(window: Window, now: Date): Date | undefined {
  const from = Math.ceil(now.getTime() / minuteMs);
  for (let minute = from; minute <= from + 8 * dayMinutes;) {
    const at = new Date(minute * minuteMs);
    const { minute: local } = localTime(at, window.zone);
    const left = (minuteOf(window.start) - local + dayMinutes) % dayMinutes;
    if (left === 0 && isWithin(window, at)) return at;
    minute += left === 0 ? 1 : left > 60 ? left - 60 : left;
  }
  return undefined;
}

const minuteOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

const formats = new Map<string, Intl.DateTimeFormat>();

function localTime(at: Date, zone: string): { readonly day: number; readonly minute: number } {
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    });
  formats.set(zone, format);
  const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
  const weekday = parts.get("weekday")?.toLowerCase() ?? "";
  return {
    day: weekdays.findIndex((each) => each === weekday),
    minute: Number(parts.get("hour")) * 60 + Number(parts.get("minute")),
  };
}
