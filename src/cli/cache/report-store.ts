// How big what is kept is, how it grows, and whether the disk is enough.
import { diskOf, type Disk } from "../../base/files/disk.ts";
import { decideDisk, type DiskAnswer } from "../../cache/decide-disk.ts";
import { measureRoots, type Closures, type RootsSize } from "../../cache/measure-roots.ts";
import { readClosures } from "../../cache/read-closures.ts";
import type { RootedCommit } from "../../nix/gc-roots.ts";
import type { Context } from "../context.ts";
import type { StoreReport } from "../print/pages/store-report.ts";
import { openStoreRoots, sayReading } from "./open-store-roots.ts";

export interface StoreMeasured {
  readonly storeDirectory: string;
  readonly commits: readonly RootedCommit[];
  readonly closures: Closures;
  readonly disk: Disk;
  readonly size: RootsSize;
  readonly keepNewest: number;
  readonly answer: DiskAnswer;
}

/** @throws HomelabError where the builder's roots are not on this machine, or not for us to read */
export async function measureStore(context: Context, signal: AbortSignal): Promise<StoreMeasured> {
  const { nix, commits, retention } = await openStoreRoots(context, signal);
  const { storeDirectory } = nix;
  const { keepNewest } = retention;
  const closures = await readClosures(nix, commits, sayReading(context), signal);
  const disk = await diskOf(storeDirectory);
  const size = measureRoots(commits, closures);
  return {
    storeDirectory,
    commits,
    closures,
    disk,
    size,
    keepNewest,
    answer: decideDisk(size, keepNewest, disk),
  };
}

export async function reportStore(context: Context, signal: AbortSignal): Promise<StoreReport> {
  const { commits, closures, size, disk, answer, keepNewest } = await measureStore(context, signal);
  return { size, disk, answer, keepNewest, unbuilt: unbuiltOf(commits, closures) };
}

/** Systems that are rooted and were never built: their sizes are not in the numbers. */
function unbuiltOf(commits: readonly RootedCommit[], { bySystem }: Closures): number {
  const systems = new Set(commits.flatMap(({ hosts }) => [...hosts.values()]));
  return [...systems].filter((system) => !bySystem.has(system)).length;
}
