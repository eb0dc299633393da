// How big what is kept is, how it grows, and whether the disk is enough.
import { diskOf } from "../../base/disk.ts";
import { decideDisk } from "../../cache/decide-disk.ts";
import { measureRoots, type Closures } from "../../cache/measure-roots.ts";
import { readClosures } from "../../cache/read-closures.ts";
import type { RootedCommit } from "../../nix/gc-roots.ts";
import type { Context } from "../context.ts";
import type { StoreReport } from "../print/pages/store-report.ts";
import { openStoreRoots, sayReading } from "./open-store-roots.ts";

export async function reportStore(context: Context, signal: AbortSignal): Promise<StoreReport> {
  const { nix, commits, retention } = await openStoreRoots(context, signal);
  const closures = await readClosures(nix, commits, sayReading(context), signal);
  const disk = await diskOf(nix.storeDirectory);
  const size = measureRoots(commits, closures);
  const { keepNewest } = retention;
  const answer = decideDisk(size, keepNewest, disk);
  return { size, disk, answer, keepNewest, unbuilt: unbuiltOf(commits, closures) };
}

/** Systems that are rooted and were never built: their sizes are not in the numbers. */
function unbuiltOf(commits: readonly RootedCommit[], { bySystem }: Closures): number {
  const systems = new Set(commits.flatMap(({ hosts }) => [...hosts.values()]));
  return [...systems].filter((system) => !bySystem.has(system)).length;
}
