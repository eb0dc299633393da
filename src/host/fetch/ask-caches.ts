// What the caches say about a closure, from its top downwards. A narinfo's references are only followed once its signature is
// proven, so nobody without a trusted key can make a host ask for more.
import { HomelabError, messageOf } from "../../base/errors.ts";
import { workThrough } from "../../base/work-through.ts";
import type { CacheClient } from "../../narinfo/cache-client.ts";
import { judgeNarInfo, maxNarInfoBytes } from "../../narinfo/judge-narinfo.ts";
import { hashPartOf, type NarInfo } from "../../narinfo/narinfo.ts";
import type { TrustedKeys } from "../../narinfo/public-keys.ts";
import type { Store } from "../../nix/store.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { FetchFault } from "./decide-fetch.ts";

export interface AskOptions {
  /** In the order in which they are asked. */
  readonly caches: readonly CacheClient[];
  readonly keys: TrustedKeys;
  readonly store: Pick<Store, "present" | "validPaths">;
}

export interface ClosureAnswer {
  /** The narinfo of each path that the store does not have. */
  readonly missing: readonly NarInfo[];
  readonly faults: readonly FetchFault[];
}

const atOnce = 32;

/** A path that the store has is not asked for, nor anything that it needs: a valid path has its whole closure. */
export async function askCaches(
  options: AskOptions,
  top: StorePath,
  signal: AbortSignal,
): Promise<ClosureAnswer> {
  const { store } = options;
  const missing: NarInfo[] = [];
  const faults: FetchFault[] = [];
  const seen = new Set([top]);
  const notValid = new Set<StorePath>();
  let queue = [top];
  while (queue.length > 0) {
    const atHand: StorePath[] = [];
    const paths = queue;
    await workThrough(paths, atOnce, async (path) => {
      // Looking at the disk is cheap and less than certain; the store is asked about all of these at once.
      if (!notValid.has(path) && (await store.present(path))) {
        atHand.push(path);
        return;
      }
      const answer = await askOne(options, path, signal);
      if (answer.type === "fault") {
        faults.push(answer.fault);
        return;
      }
      missing.push(answer.narInfo);
      for (const reference of answer.narInfo.references) {
        if (seen.has(reference)) continue;
        seen.add(reference);
        paths.push(reference);
      }
    });
    const valid = await store.validPaths(atHand, signal);
    // There, and not valid: what an interrupted fetch has left.
    queue = atHand.filter((path) => !valid.has(path));
    for (const path of queue) notValid.add(path);
  }
  return { missing, faults };
}

type OneAnswer =
  | { readonly type: "good"; readonly narInfo: NarInfo }
  | { readonly type: "fault"; readonly fault: FetchFault };

/** The first cache that serves it as it should. Otherwise a bad signature is worth telling more than an absence. */
async function askOne(
  { caches, keys }: AskOptions,
  path: StorePath,
  signal: AbortSignal,
): Promise<OneAnswer> {
  const faults: FetchFault[] = [];
  for (const client of caches) {
    try {
      const answer = await client.get(`${hashPartOf(path)}.narinfo`, { maxBytes: maxNarInfoBytes }, signal);
      const judgement = await judgeNarInfo(path, undefined, answer, keys);
      if (judgement.type === "good") return { type: "good", narInfo: judgement.narInfo };
      faults.push({ path, problem: judgement.problem, detail: `${client.url}: ${judgement.detail}` });
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HomelabError)) throw error;
      faults.push({ path, problem: "unanswered", detail: messageOf(error) });
    }
  }
  const isForged = ({ problem }: FetchFault): boolean =>
    problem === "unsigned" || problem === "wrongly-signed";
  const none: FetchFault = { path, problem: "missing", detail: "no cache is configured" };
  return { type: "fault", fault: faults.find(isForged) ?? faults[0] ?? none };
}
