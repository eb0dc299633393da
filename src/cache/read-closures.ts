import { workThrough } from "../base/work-through.ts";
import type { RootedCommit } from "../nix/gc-roots.ts";
import type { Store } from "../nix/store.ts";
import type { StorePath } from "../protocol/names.ts";
import type { Closures } from "./measure-roots.ts";

const atOnce = 4;

/**
 * Reads the closures of all systems that are rooted and built.
 *
 * @param onRead after each, with how many of how many are read
 * @throws HomelabError `unavailable` when the store does not answer.
 */
export async function readClosures(
  nix: Pick<Store, "validPaths" | "readClosure">,
  commits: readonly RootedCommit[],
  onRead: (done: number, all: number) => void,
  signal: AbortSignal,
): Promise<Closures> {
  const systems = [...new Set(commits.flatMap(({ hosts }) => [...hosts.values()]))];
  const valid = systems.length === 0 ? new Set<StorePath>() : await nix.validPaths(systems, signal);
  const waiting = systems.filter((system) => valid.has(system));
  const all = waiting.length;
  const bySystem = new Map<StorePath, readonly StorePath[]>();
  const sizes = new Map<StorePath, number>();
  await workThrough(waiting, atOnce, async (system) => {
    const { paths } = await nix.readClosure(system, signal);
    for (const { path, size } of paths) sizes.set(path, size);
    bySystem.set(
      system,
      paths.map(({ path }) => path),
    );
    onRead(bySystem.size, all);
  });
  return { bySystem, sizes };
}
