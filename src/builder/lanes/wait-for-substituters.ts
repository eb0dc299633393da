// What to do when every substituter is down: a NixOS would compile from source for hours what is fetched in minutes
// as soon as one of them is up again.
import type { SubstituterProbe } from "../../nix/realiser.ts";
import type { Store } from "../../nix/store.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { Decision } from "../decide-verdicts.ts";

/** `wait` for one, up to half an hour; or `build` from source at once. */
export type WithoutSubstituters = "wait" | "build";

const longestWaitMs = 30 * 60_000;
const [shortestPauseMs, longestPauseMs] = [10_000, 60_000];

export type SubstituterDecision =
  | { readonly type: "wait"; readonly reason: string; readonly delayMs: number }
  | (Decision & { type: "verdict" });

/** None is configured, or one of them answers: then waiting gains nothing. */
export const areAllDown = ({ use, dead }: SubstituterProbe): boolean => use?.length === 0 && dead.length > 0;

/**
 * Waits for a host that needs a substituter while all of them are down. It is retried often at first, and finally ends as
 * an infrastructure fault.
 *
 * @param waitedMs since the host was first found waiting
 */
export function decideWait({ dead }: Pick<SubstituterProbe, "dead">, waitedMs: number): SubstituterDecision {
  const [first] = dead;
  const more = dead.length <= 1 ? "" : ` (and ${dead.length - 1} more)`;
  const down = `${first?.url}: ${first?.reason}${more}`;
  if (waitedMs >= longestWaitMs) {
    const reason = `no substituter could be used for 30 minutes, and nothing is built from source without one (builder.build.withoutSubstituters): ${down}`;
    return { type: "verdict", verdict: "infra-failed", reason };
  }
  return {
    type: "wait",
    reason: `no substituter can be used; waiting up to 30 minutes for one instead of building from source (builder.build.withoutSubstituters): ${down}`,
    delayMs: Math.min(longestPauseMs, Math.max(shortestPauseMs, waitedMs)),
  };
}

/**
 * Whether a build of it would ask a substituter at all. The derivations that differ between two generations of a
 * NixOS (units, files in /etc, the system itself) are small, and say that they are only built.
 */
export async function needsSubstituter(
  nix: Pick<Store, "unbuilt" | "readDerivation">,
  drvPath: StorePath,
): Promise<boolean> {
  for (const unbuilt of await nix.unbuilt(drvPath)) {
    const derivation = await nix.readDerivation(unbuilt).catch(() => undefined);
    if (derivation?.isOnlyBuilt !== true) return true;
  }
  return false;
}
