// Fetches closures from HTTP caches: looks first, loads then, and believes only signatures.
import { readdir, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { HomelabError } from "../base/errors.ts";
import { diskOf } from "../base/files/disk.ts";
import { makeDirectory } from "../base/files/make-directory.ts";
import { retry, type RetryPolicy } from "../base/retry.ts";
import type { CacheClient } from "../narinfo/cache-client.ts";
import { parsePublicKey } from "../narinfo/public-keys.ts";
import type { Environment } from "../nix/nix-environment.ts";
import { createStoreQueries } from "../nix/store/store-queries.ts";
import type { Exec } from "../process/exec.ts";
import type { ClosureFetcher, FetchRequest, ToFetch } from "./closure-fetcher.ts";
import { askCaches } from "./fetch/ask-caches.ts";
import { bytesOf, decideFetch, notCached, unsigned, whyOther } from "./fetch/decide-fetch.ts";
import {
  copySignatures,
  isClosureSigned,
  isHeld,
  narHashOf,
  realiseClosure,
  type NixFetch,
} from "./fetch/realise-closure.ts";
import { orUndefined } from "./read-if-there.ts";

export interface ClosureFetcherOptions {
  readonly exec: Exec;
  readonly environment: Environment;
  readonly clock: Clock;
  /** Binary caches over HTTP, in the order in which they are asked; no other place is. */
  readonly caches: readonly CacheClient[];
  readonly storeDirectory: string;
  /** A directory in Nix's own `gcroots`: links in it are roots by themselves. */
  readonly rootsDirectory: string;
}

/** A cache that is just being filled, or started again, has it a moment later: 4 tries in about 2 minutes. */
const patience: RetryPolicy = { attempts: 4, firstDelayMs: 17_000, factor: 2, maxDelayMs: 120_000 };

/** A collection that is under way can take what was loaded just now. */
const mostRounds = 5;

export function createClosureFetcher(options: ClosureFetcherOptions): ClosureFetcher {
  const { exec, environment, clock, caches, storeDirectory, rootsDirectory } = options;
  const store = createStoreQueries({ exec, environment });

  const persist = async <T>(attempt: () => Promise<T>, signal: AbortSignal): Promise<T> =>
    retry({ policy: patience, clock, signal, attempt, isTransient: isNotCached });

  async function plan(request: FetchRequest, signal: AbortSignal): Promise<ToFetch> {
    const keys = request.trustedCacheKeys.map(parsePublicKey);
    const { missing, faults } = await askCaches({ caches, keys, store }, request.path, signal);
    const { availableBytes } = await diskOf(storeDirectory);
    const { path: top, narHash, minFreeBytes } = request;
    const refusal = decideFetch({ top, narHash, missing, faults, freeBytes: availableBytes, minFreeBytes });
    if (refusal !== undefined) throw refusal;
    return { paths: missing.length, bytes: bytesOf(missing) };
  }

  return {
    plan: async (request, signal) => persist(async () => plan(request, signal), signal),

    async fetch(request, signal) {
      const { path, root, timeoutMs } = request;
      const nix: NixFetch = {
        exec,
        environment,
        substituters: caches.map(({ url }) => url),
        trustedKeys: request.trustedCacheKeys,
      };
      await makeRoot(rootsDirectory, root, path);
      const deadline = clock.monotonic() + timeoutMs;
      for (let round = 1; ; round++) {
        await persist(async () => {
          const leftMs = Math.max(1000, deadline - clock.monotonic());
          await realiseClosure(nix, path, leftMs, signal);
        }, signal);
        if (!(await isHeld(nix, path, signal)) && round < mostRounds) continue;
        await proveSigned(nix, request, signal);
        if (await isHeld(nix, path, signal)) return;
        if (round >= mostRounds) throw notCached(1, `${path}: garbage collections take it away`);
      }
    },

    dropRoot: async (root) => rm(rootFile(rootsDirectory, root), { force: true }),
    listRoots: async () => ((await orUndefined(readdir(rootsDirectory))) ?? []).filter(isRootName).toSorted(),
  };
}

/** By signatures that the store has, or that a cache has for it. @throws HomelabError `UNSIGNED` */
async function proveSigned(
  nix: NixFetch,
  { path, narHash, trustLocalBuilds }: FetchRequest,
  signal: AbortSignal,
): Promise<void> {
  if (!(await isClosureSigned(nix, path, { trustLocalBuilds }, signal))) {
    await copySignatures(nix, path, signal);
    if (!(await isClosureSigned(nix, path, { trustLocalBuilds }, signal))) {
      throw unsigned(`${path}: the store has paths of it without a signature by a trusted key`);
    }
  }
  const why = narHash === undefined ? undefined : whyOther(narHash, await narHashOf(nix, path, signal));
  if (why !== undefined) throw unsigned(`${path}: ${why}`);
}

const isNotCached = (error: unknown): boolean => error instanceof HomelabError && error.code === "NOT_CACHED";

const isRootName = (name: string): boolean => /^[A-Za-z0-9_-]{1,100}$/.test(name);

function rootFile(directory: string, root: string): string {
  if (!isRootName(root)) throw new RangeError(`${root} cannot be the name of a GC root`);
  return join(directory, root);
}

/**
 * A link to what may not be there yet: there is no moment in which the path is valid and nothing holds it. While it is
 * loaded, what it needs is held by the Nix process itself.
 */
async function makeRoot(directory: string, root: string, path: string): Promise<void> {
  const file = rootFile(directory, root);
  await makeDirectory(directory);
  const fresh = `${file}.tmp`;
  await rm(fresh, { force: true });
  await symlink(path, fresh);
  await rename(fresh, file);
}
