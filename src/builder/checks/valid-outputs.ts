import type { Store } from "../../nix/store.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { ReadyWork } from "../work.ts";

/** Those at whose output's path there is something. Only of these Nix has to be asked: it is built before it is valid. */
export async function withOutput(
  { present }: Pick<Store, "present">,
  works: readonly ReadyWork[],
): Promise<readonly ReadyWork[]> {
  const there = await Promise.all(works.map(async ({ evaluation }) => present(evaluation.outPath)));
  return works.filter((_, index) => there[index] === true);
}

/**
 * Those with a valid output, by at most one question to Nix.
 *
 * @throws HomelabError `unavailable` when the store does not answer
 */
export async function withValidOutput(
  nix: Pick<Store, "present" | "validPaths">,
  works: readonly ReadyWork[],
  signal: AbortSignal,
): Promise<readonly ReadyWork[]> {
  const there = await withOutput(nix, works);
  const valid = await nix.validPaths(there.map(outputOf), signal);
  return there.filter((work) => valid.has(outputOf(work)));
}

const outputOf = ({ evaluation }: ReadyWork): StorePath => evaluation.outPath;
