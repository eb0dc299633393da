import type { RealiseResult } from "../../nix/realiser.ts";
import type { Store } from "../../nix/store.ts";
import { derivationName } from "../../protocol/store-paths/derivation-name.ts";
import { builtDerivations } from "./built-derivations.ts";
import type { UsualDurations } from "./usual-durations.ts";

/** What takes less is over before anybody asks how long it will take. */
const shortestMs = 1000;

/**
 * Learns from what a Nix process has built: a derivation counts when its own end is known and its outputs are valid
 * afterwards.
 */
export async function learnDurations(
  nix: Pick<Store, "readDerivation" | "validPaths">,
  durations: UsualDurations,
  started: RealiseResult["started"],
  signal: AbortSignal,
): Promise<void> {
  const long = [...started].filter(([, { durationMs, end }]) => end === "known" && durationMs > shortestMs);
  const areBuilt = await builtDerivations(
    nix,
    long.map(([drvPath]) => drvPath),
    signal,
  );
  const built = long.filter(([drvPath]) => areBuilt.has(drvPath));
  if (built.length === 0) return;
  await durations.learn(
    new Map(built.map(([drvPath, { durationMs }]) => [derivationName(drvPath), durationMs])),
  );
}
