// A closure as a binary cache has it: from narinfo to narinfo, each signed. For machines without the store.
import { HomelabError } from "../base/errors.ts";
import { workThrough } from "../base/work-through.ts";
import type { StorePath } from "../protocol/names.ts";
import type { CacheClient } from "./cache-client.ts";
import { judgeNarInfo, maxNarInfoBytes } from "./judge-narinfo.ts";
import { hashPartOf, type NarInfo } from "./narinfo.ts";
import type { TrustedKeys } from "./public-keys.ts";

/** A large desktop has ten thousand. */
const mostPaths = 100_000;

export interface NarInfoClosureOptions {
  readonly client: Pick<CacheClient, "get" | "url">;
  readonly keys: TrustedKeys;
  readonly atOnce: number;
}

/** @throws HomelabError `unavailable` `NOT_CACHED` for a path that is not served as it should be */
export async function readNarInfoClosure(
  { client, keys, atOnce }: NarInfoClosureOptions,
  top: StorePath,
  signal: AbortSignal,
): Promise<readonly NarInfo[]> {
  const found: NarInfo[] = [];
  const queued = new Set([top]);
  const queue = [top];
  await workThrough(queue, atOnce, async (path) => {
    const answer = await client.get(`${hashPartOf(path)}.narinfo`, { maxBytes: maxNarInfoBytes }, signal);
    const judgement = await judgeNarInfo(path, undefined, answer, keys);
    if (judgement.type === "fault") throw notServed(`${path}: ${judgement.detail}`, client.url);
    found.push(judgement.narInfo);
    for (const reference of judgement.narInfo.references) {
      if (queued.has(reference)) continue;
      if (queued.size >= mostPaths) throw notServed(`${top} has more than ${mostPaths} paths`, client.url);
      queued.add(reference);
      queue.push(reference);
    }
  });
  return found;
}

const notServed = (detail: string, url: string): HomelabError =>
  new HomelabError("unavailable", `the cache ${url} does not list what belongs to a system: ${detail}`, {
    code: "NOT_CACHED",
    hint: "homelab-deploy cache verify names everything that is missing",
  });
