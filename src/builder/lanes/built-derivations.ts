import type { Store } from "../../nix/store.ts";
import type { StorePath } from "../../protocol/names.ts";

/** Those of the derivations whose outputs are all valid. */
export async function builtDerivations(
  nix: Pick<Store, "readDerivation" | "validPaths">,
  drvPaths: readonly StorePath[],
  signal: AbortSignal,
): Promise<ReadonlySet<StorePath>> {
  if (drvPaths.length === 0) return new Set();
  const outputs = new Map<StorePath, readonly StorePath[]>();
  for (const drvPath of drvPaths)
    outputs.set(drvPath, [...(await nix.readDerivation(drvPath)).outputs.values()]);
  const valid = await nix.validPaths([...outputs.values()].flat(), signal);
  const isBuilt = (drvPath: StorePath): boolean => {
    const paths = outputs.get(drvPath) ?? [];
    return paths.length > 0 && paths.every((path) => valid.has(path));
  };
  return new Set(drvPaths.filter(isBuilt));
}
