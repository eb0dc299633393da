// What `switch-to-configuration test` has done. The exit code is not enough: it is 0 without an activation script, 4 instead
// of 2 when a unit failed too, and 11 both for a held lock and for a switch that died half way
// (switch-to-configuration-ng's main.rs; seen on a real systemd).
import type { SwitchResult } from "../host/system.ts";
import type { StorePath } from "../protocol/names.ts";

/** Links of the machine after a switch, or before it. */
export interface SwitchLinks {
  readonly running: StorePath | undefined;
  /** As real paths. */
  readonly etcStatic: string | undefined;
}

export interface SwitchQuestion {
  readonly result: SwitchResult;
  readonly before: SwitchLinks;
  readonly after: SwitchLinks;
  readonly target: StorePath;
  /** The real path of the target's `etc`. */
  readonly targetEtc: string | undefined;
}

export type SwitchDecision =
  | { readonly type: "activated" }
  /** It refuses to be switched to while this system runs: it has to be booted. */
  | { readonly type: "to-be-booted"; readonly why: string }
  /** Somebody else switches: nothing was touched. */
  | { readonly type: "busy" }
  /** Only secrets were missing at the time, so one retry is worthwhile. */
  | { readonly type: "secrets-missing"; readonly why: string }
  | { readonly type: "untouched"; readonly why: string }
  | { readonly type: "broken"; readonly why: string };

/** What follows is what systemd says about units, with lines of their logs. */
const unitReport = "warning: the following units failed";
const touching =
  /^(?:stopping|restarting|reloading|starting) the following units:|^activating the configuration/m;
const snippet = /^Activation script snippet '(?<name>[^']{1,100})' failed/gm;
const secretSnippets = /^(?:agenix\w*|sops\w*|setupSecrets\w*|setup-secrets)$/i;

/** What the program itself and the activation script printed, on both streams. */
export const ownWords = (output: string): string => output.split(unitReport)[0] ?? "";

export function decideSwitch({ result, before, after, target, targetEtc }: SwitchQuestion): SwitchDecision {
  const { exitCode, timedOut, leftLists } = result;
  const words = ownWords(result.output);
  const isMoved = after.running !== before.running || after.etcStatic !== before.etcStatic;
  // It says so before it touches anything.
  if (exitCode === 100 && !isMoved) {
    return { type: "to-be-booted", why: lastLine(words, "it may not be switched to") };
  }
  const isUntouched = !isMoved && !touching.test(words) && !leftLists;
  // Links that have moved, and lists, are those of the switch that has the lock.
  if (isLockHeld(result)) return { type: "busy" };

  const failedSnippets = [...words.matchAll(snippet)].map(({ groups }) => groups?.["name"] ?? "");
  if (failedSnippets.length > 0 || words.includes("Failed to run activate script")) {
    const why = failedSnippets.length === 0 ? "its activation script failed" : snippetsFailed(failedSnippets);
    const onlySecrets =
      failedSnippets.length > 0 && failedSnippets.every((name) => secretSnippets.test(name));
    return { type: onlySecrets ? "secrets-missing" : "broken", why };
  }
  const isTarget =
    after.running === target && (after.etcStatic === undefined || after.etcStatic === targetEtc);
  if ((exitCode === 0 || exitCode === 4) && isTarget) return { type: "activated" };
  const why = whyBroken(exitCode, timedOut, isTarget, words);
  return isUntouched ? { type: "untouched", why } : { type: "broken", why };
}

/** Somebody else switches: newer programs say so at once, and touch nothing. */
export function isLockHeld({ exitCode, output }: SwitchResult): boolean {
  const words = ownWords(output);
  return exitCode === 11 && words.includes("Could not acquire lock") && !touching.test(words);
}

const snippetsFailed = (names: readonly string[]): string =>
  `${names.length === 1 ? "a part" : "parts"} of its activation script failed: ${names.slice(0, 10).join(", ")}`;

function whyBroken(
  exitCode: number | undefined,
  timedOut: boolean,
  isTarget: boolean,
  words: string,
): string {
  if (timedOut) return "the switch did not end in time";
  if (exitCode === undefined) return "the switch was killed";
  if (exitCode === 0 || exitCode === 4) {
    return isTarget
      ? "the switch ended well"
      : `the switch reported success (exit ${exitCode}), but another system runs`;
  }
  if (words.includes("Unable to list users with logind")) {
    return "the switch died after it had stopped units: systemd-logind did not answer";
  }
  return `the switch failed (exit ${exitCode}): ${lastLine(words, "it printed nothing")}`;
}

function lastLine(words: string, otherwise: string): string {
  const line = words
    .split("\n")
    .map((text) => text.trim())
    .findLast((text) => text !== "");
  return line === undefined ? otherwise : line.slice(0, 300);
}

/** Units that it could not start, restart or reload, in its own words. */
export const failedToStart = (output: string): readonly string[] => [
  ...new Set(
    [...ownWords(output).matchAll(/^Failed to (?:start|restart|reload) (?<unit>[^\s:]{1,256})/gm)].map(
      ({ groups }) => groups?.["unit"] ?? "",
    ),
  ),
];
