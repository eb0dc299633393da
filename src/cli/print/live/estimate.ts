// How long a derivation will still take, guessed from how long those of its name took before.
import type { RunningDerivation } from "../../../protocol/progress.ts";
import { formatDuration } from "../../../words/duration.ts";
import type { Style } from "../style.ts";

/** From the most to the least that is said: both, only what is left, nothing. */
export const estimateForms = ["full", "left", "none"] as const;
export type EstimateForm = (typeof estimateForms)[number];

/** `∅ 7m00s ~3m24s left`; empty for a derivation that nothing is known about. A guess that was too short is given up. */
export function estimateText(
  { usualMs }: Pick<RunningDerivation, "usualMs">,
  elapsedMs: number,
  form: EstimateForm,
  { glyphs }: Style,
): string {
  if (usualMs === undefined || form === "none") return "";
  const leftMs = usualMs - elapsedMs;
  const left = leftMs <= 0 ? "longer than usual" : `~${formatDuration(Math.ceil(leftMs / 1000) * 1000)} left`;
  return form === "left" ? left : `${glyphs.average} ${formatDuration(usualMs)} ${left}`;
}
