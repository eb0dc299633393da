// From configuration and flags to a cache that can be asked.
import { join } from "node:path";
import * as v from "valibot";
import type { Clock } from "../base/clock.ts";
import { HomelabError, messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { readBounded } from "../base/files/read-bounded.ts";
import { createCacheClient, type CacheClient } from "../cache/cache-client.ts";
import { noProofs, openProofs } from "../cache/proofs.ts";
import { parsePublicKey, type TrustedKeys } from "../narinfo/public-keys.ts";
import type { VerifyOptions } from "../cache/verify.ts";
import { CacheUrl, type CacheSettings } from "../config/cache-schema.ts";

export interface CacheChoice {
  readonly cache?: string;
  readonly publicKey?: readonly string[];
}

export interface CacheAccess extends Disposable {
  readonly url: string;
  readonly keys: TrustedKeys;
  readonly client: CacheClient;
}

/** The flag's cache, or the configuration's. @throws HomelabError `config` or `usage` */
export function chooseCacheUrl(settings: CacheSettings, { cache }: CacheChoice): string {
  const url = cache ?? settings.url;
  if (url === undefined) {
    throw new HomelabError("config", "it is not said which cache to ask", {
      code: "NO_CACHE",
      hint: "give --cache URL, or set cache.url in the configuration",
    });
  }
  if (!v.is(CacheUrl, url)) {
    throw new HomelabError("usage", "the URL of the cache cannot be used", {
      code: "BAD_ARGUMENTS",
      hint: "it is like http://cache01.lan:5000, without a user, a query or a fragment",
    });
  }
  return url;
}

/** Flags beat the configuration. @throws HomelabError `config` `NO_CACHE_KEY`, `usage` `BAD_PUBLIC_KEY` */
export function chooseKeys(settings: CacheSettings, { publicKey }: CacheChoice): TrustedKeys {
  const keys = (publicKey ?? settings.publicKeys).map(parsePublicKey);
  if (keys.length === 0) {
    throw new HomelabError("config", "it is not said by which key what is served must be signed", {
      code: "NO_CACHE_KEY",
      hint: "give --public-key NAME:BASE64, or set cache.publicKeys in the configuration",
    });
  }
  return keys;
}

/** @throws HomelabError `config` with code `BAD_CA_FILE` */
export async function openCacheClient(
  settings: CacheSettings,
  url: string,
  clock: Clock,
): Promise<CacheClient> {
  const { caFile, connections, timeoutSeconds, attempts } = settings;
  return createCacheClient({
    url,
    connections,
    timeoutMs: timeoutSeconds * 1000,
    retry: { attempts, firstDelayMs: 250, factor: 3, maxDelayMs: 10_000 },
    clock,
    ca: caFile === undefined ? undefined : await readCaFile(caFile),
  });
}

async function readCaFile(file: string): Promise<string> {
  try {
    return (await readBounded(file, 1024 * 1024)).text;
  } catch (error) {
    throw new HomelabError("config", `the certificate authority of the cache cannot be read: ${file}`, {
      code: "BAD_CA_FILE",
      hint: "cache.caFile is the path of a PEM file",
      cause: new Error(messageOf(error)),
    });
  }
}

export async function openCache(
  settings: CacheSettings,
  choice: CacheChoice,
  clock: Clock,
): Promise<CacheAccess> {
  const url = chooseCacheUrl(settings, choice);
  const keys = chooseKeys(settings, choice);
  const client = await openCacheClient(settings, url, clock);
  return { url, keys, client, [Symbol.dispose]: () => client[Symbol.dispose]() };
}

export interface VerifyParts {
  readonly settings: CacheSettings;
  readonly access: CacheAccess;
  /** Where proofs are remembered: `<directory>/cache`; not at all without it. */
  readonly stateDirectory?: string;
  readonly content: VerifyOptions["content"];
  readonly clock: Clock;
  readonly log: Log;
}

export async function composeVerification({
  settings,
  access,
  stateDirectory,
  content,
  clock,
  log,
}: VerifyParts): Promise<VerifyOptions> {
  const { url, keys, client } = access;
  const maxAgeMs = settings.recheckHours * 3_600_000;
  const proofs =
    stateDirectory === undefined || maxAgeMs === 0
      ? noProofs
      : await openProofs({
          directory: join(stateDirectory, "cache"),
          cacheUrl: url,
          keys,
          maxAgeMs,
          clock,
          log,
        });
  const { connections: atOnce, timeoutSeconds } = settings;
  return {
    client,
    keys,
    // Who wants to see all content does not take an earlier look at its first bytes for it.
    proofs: content === "whole" ? { ...proofs, has: () => false } : proofs,
    content,
    atOnce,
    timeoutMs: timeoutSeconds * 1000,
  };
}
