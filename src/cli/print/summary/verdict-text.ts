// A verdict on a terminal: its word, with one sign and one colour for each.
import { isOwnFault, type HostOutcome } from "../../../protocol/verdicts.ts";
import { verdictWords } from "../../../words/verdict-words.ts";
import type { Style } from "../style.ts";

/** Shown as what needs somebody to change something: the host's repo or homelab-deploy. */
const isRed = (outcome: HostOutcome): boolean => outcome === "internal-error" || isOwnFault(outcome);

/** The sign of a verdict in its colour; a missing one is never shown as success. */
export function verdictSign(verdict: HostOutcome | undefined, style: Style): string {
  if (verdict === undefined) return style.yellow(style.glyphs.unknown);
  if (isRed(verdict)) return style.red(style.glyphs.failure);
  if (verdict === "built" || verdict === "unchanged") return style.green(style.glyphs.success);
  return verdict === "infra-failed" ? style.yellow(style.glyphs.fault) : style.dim(style.glyphs.waiting);
}

/** `✗ build failed`, in its colour. */
export function verdictText(verdict: HostOutcome | undefined, style: Style): string {
  const word = verdict === undefined ? "no verdict" : verdictWords[verdict];
  if (verdict === undefined || verdict === "infra-failed") {
    return `${verdictSign(verdict, style)} ${style.yellow(word)}`;
  }
  return `${verdictSign(verdict, style)} ${isRed(verdict) ? style.red(word) : word}`;
}
