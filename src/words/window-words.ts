// When a window opens, as people read it.
import type { Window } from "../protocol/rollout/windows.ts";
import { nextOpening } from "../protocol/rollout/windows.ts";

const day = 24 * 3_600_000;

/** `Sun 02:00 UTC`, or with its date where that is a week away or more. */
export function formatOpening(at: Date, now: Date): string {
  const time = `${at.toISOString().slice(11, 16)} UTC`;
  const weekday = at.toLocaleDateString("en-GB", { weekday: "short", timeZone: "UTC" });
  const isNear = at.getTime() - now.getTime() < 7 * day;
  return isNear ? `${weekday} ${time}` : `${weekday} ${at.toISOString().slice(0, 10)} ${time}`;
}

/** `the window opens Sun 02:00 UTC` */
export function openingText(windows: readonly Window[], now: Date): string {
  const at = nextOpening(windows, now);
  if (at === undefined) return "no window ever opens";
  return at.getTime() <= now.getTime() ? "the window is open" : `the window opens ${formatOpening(at, now)}`;
}
