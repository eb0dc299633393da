// The closures of two systems: from this machine's store where it has both, else from the cache's narinfos.
import { HomelabError } from "../../base/errors.ts";
import { silentLog } from "../../base/log.ts";
import type { Config } from "../../config/schema.ts";
import { readNarInfoClosure } from "../../narinfo/narinfo-closure.ts";
import type { Closure } from "../../nix/store.ts";
import type { StorePath } from "../../protocol/names.ts";
import { openCache } from "../../wiring/compose-cache.ts";
import type { Context } from "../context.ts";
import { userStateDirectory } from "../session/local-builder.ts";
import { openNix } from "../session/open-nix.ts";

export interface ReadClosures {
  readonly from: "store" | "cache";
  readonly closures: readonly Closure[];
}

/** @throws HomelabError `config` `NO_CACHE` where neither the store nor a cache is there, `unavailable` `NOT_CACHED` */
export async function readSystems(
  context: Context,
  config: Config,
  systems: readonly StorePath[],
  signal: AbortSignal,
): Promise<ReadClosures> {
  return (
    (await fromStore(context, systems, signal)) ?? {
      from: "cache",
      closures: await fromCache(context, config, systems, signal),
    }
  );
}

/** Undefined where this machine has no Nix, or not all of it. */
async function fromStore(
  context: Context,
  systems: readonly StorePath[],
  signal: AbortSignal,
): Promise<ReadClosures | undefined> {
  try {
    const nix = await openNix(context, userStateDirectory(context.environment), silentLog, signal);
    const valid = await nix.validPaths(systems, signal);
    if (systems.some((system) => !valid.has(system))) return undefined;
    const closures: Closure[] = [];
    for (const system of systems) closures.push(await nix.readClosure(system, signal));
    return { from: "store", closures };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HomelabError) return undefined;
    throw error;
  }
}

async function fromCache(
  { clock, environment }: Context,
  { cache }: Config,
  systems: readonly StorePath[],
  signal: AbortSignal,
): Promise<readonly Closure[]> {
  using access = await openCache(cache, {}, { clock, environment }, signal);
  const closures: Closure[] = [];
  for (const system of systems) {
    const narInfos = await readNarInfoClosure({ ...access, atOnce: cache.connections }, system, signal);
    closures.push({
      paths: narInfos.map(({ storePath, narSize }) => ({ path: storePath, size: narSize })),
      boot: {},
    });
  }
  return closures;
}
