import type { RealiseResult } from "../../nix/realiser.ts";
import type { Store } from "../../nix/store.ts";
import type { StorePath } from "../../protocol/names.ts";
import { derivationName } from "../../protocol/store-paths/derivation-name.ts";
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
  const outputs = new Map<StorePath, readonly StorePath[]>();
  for (const [drvPath] of long)
    outputs.set(drvPath, [...(await nix.readDerivation(drvPath)).outputs.values()]);
  const valid = await nix.validPaths([...outputs.values()].flat(), signal);
  const isBuilt = (drvPath: StorePath): boolean => {
    const paths = outputs.get(drvPath) ?? [];
    return paths.length > 0 && paths.every((path) => valid.has(path));
  };
  const built = long.filter(([drvPath]) => isBuilt(drvPath));
  if (built.length === 0) return;
  await durations.learn(
    new Map(built.map(([drvPath, { durationMs }]) => [derivationName(drvPath), durationMs])),
  );
}
