// The cache from outside; on the builder also its store.
import { HomelabError, messageOf } from "../../base/errors.ts";
import { probeCache, type CacheProbe } from "../../cache/cache-info.ts";
import { judgeNarInfo, maxNarInfoBytes } from "../../narinfo/judge-narinfo.ts";
import { hashPartOf } from "../../narinfo/narinfo.ts";
import type { StorePath } from "../../protocol/names.ts";
import { chooseCacheUrl, chooseKeys, openCacheClient, type CacheChoice } from "../../wiring/compose-cache.ts";
import type { Context } from "../context.ts";
import type { CacheStatus, NotKnown, SignatureStatus, StoreStatus } from "../print/pages/cache-status.ts";
import { loadCommandConfig } from "../session/connect.ts";
import { measureStore } from "./report-store.ts";

export async function readCacheStatus(
  context: Context,
  choice: CacheChoice,
  signal: AbortSignal,
): Promise<CacheStatus> {
  const { clock } = context;
  const { cache: settings } = await loadCommandConfig(context);
  const url = chooseCacheUrl(settings, choice);
  const keys = chooseKeys(settings, choice);
  using client = await openCacheClient(settings, url, context, signal);
  const store = await orReason(async () => storeStatus(context, signal), signal);
  const probe = await orReason(async () => probeCache(client, clock, signal), signal);
  const newest = "reason" in store ? undefined : store.newestSystem;

  async function signatureOf(path: StorePath): Promise<SignatureStatus> {
    const answer = await client.get(`${hashPartOf(path)}.narinfo`, { maxBytes: maxNarInfoBytes }, signal);
    const judgement = await judgeNarInfo(path, undefined, answer, keys);
    return judgement.type === "good"
      ? { path, signedBy: judgement.signedBy.name }
      : { path, problem: judgement.problem, detail: judgement.detail };
  }
  return {
    url,
    keys: keys.map(({ name }) => name),
    probe,
    store,
    signature:
      newest === undefined || "reason" in probe
        ? undefined
        : await orReason(async () => signatureOf(newest), signal),
  };
}

/** Unknown values are reported as such, and hide nothing else. */
async function orReason<Result extends CacheProbe | StoreStatus | SignatureStatus>(
  ask: () => Promise<Result>,
  signal: AbortSignal,
): Promise<Result | NotKnown> {
  try {
    return await ask();
  } catch (error) {
    signal.throwIfAborted();
    return { reason: messageOf(error), isRefused: error instanceof HomelabError && error.kind === "refused" };
  }
}

/** @throws HomelabError where the builder's roots are not on this machine, or not for us to read */
async function storeStatus(context: Context, signal: AbortSignal): Promise<StoreStatus> {
  const { storeDirectory, commits, closures, disk, size, answer } = await measureStore(context, signal);
  const newestFirst = commits.toSorted((one, other) => other.usedAt.getTime() - one.usedAt.getTime());
  const newestSystem = newestFirst
    .flatMap(({ hosts }) => [...hosts.values()])
    .find((system) => closures.bySystem.has(system));
  return {
    storeDirectory,
    disk,
    rootBytes: size.unionBytes,
    growthBytesPerDay: size.growthBytesPerDay,
    daysUntilFull: answer.daysUntilFull,
    newestSystem,
  };
}
