import { setImmediate } from "node:timers/promises";
import type { StorePath } from "../../protocol/names.ts";
import type { Derivation, Store } from "../store.ts";

const atOnce = 64;

/**
 * Walks down a derivation's graph as long as outputs are missing. The inputs of a present output are not needed any
 * more. A derivation that cannot be read counts as unbuilt. The walk ends after `maxDerivations`, so the result
 * is an estimate.
 */
export function createUnbuilt(
  { readDerivation, present }: Pick<Store, "readDerivation" | "present">,
  maxDerivations = 50_000,
): Store["unbuilt"] {
  /** The inputs to look at next, or undefined when all outputs are there that somebody needs. */
  async function inputsOfUnbuilt(
    drvPath: StorePath,
    needed: readonly string[] | undefined,
  ): Promise<Needs[] | undefined> {
    let derivation: Derivation;
    try {
      derivation = await readDerivation(drvPath);
    } catch {
      return [];
    }
    const { outputs, inputDrvs } = derivation;
    const paths = needed === undefined ? [...outputs.values()] : needed.map((name) => outputs.get(name));
    const there = await Promise.all(paths.map(async (path) => path !== undefined && (await present(path))));
    if (there.length > 0 && there.every(Boolean)) return undefined;
    return [...inputDrvs].map(([path, names]) => ({ drvPath: path, outputs: names }));
  }

  return async (top) => {
    const unbuilt = new Set<StorePath>();
    const asked = new Set<string>();
    let next: Needs[] = [{ drvPath: top, outputs: undefined }];
    while (next.length > 0 && unbuilt.size < maxDerivations) {
      const batch = next.splice(-Math.min(atOnce, maxDerivations - unbuilt.size));
      const fresh = batch.filter(({ drvPath, outputs }) => {
        const key = `${drvPath}!${outputs?.join(",") ?? "*"}`;
        return !unbuilt.has(drvPath) && asked.size < asked.add(key).size;
      });
      const found = await Promise.all(
        fresh.map(async ({ drvPath, outputs }) => ({
          drvPath,
          inputs: await inputsOfUnbuilt(drvPath, outputs),
        })),
      );
      for (const { drvPath, inputs } of found) {
        if (inputs === undefined || unbuilt.has(drvPath)) continue;
        unbuilt.add(drvPath);
        next.push(...inputs.filter((input) => !unbuilt.has(input.drvPath)));
      }
      // With everything in caches no await above would let anything else run.
      await setImmediate();
    }
    return unbuilt;
  };
}

interface Needs {
  readonly drvPath: StorePath;
  /** Undefined for all of them. */
  readonly outputs: readonly string[] | undefined;
}
