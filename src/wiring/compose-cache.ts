// From configuration and flags to a cache that can be asked.
import { join } from "node:path";
import * as v from "valibot";
import type { Clock } from "../base/clock.ts";
import { HomelabError, messageOf } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Environment } from "../base/environment.ts";
import { readBounded, whyUnreadable } from "../base/files/read-bounded.ts";
import { loadTls, nameAuthorities, trustNamedAuthorities } from "../base/node-tls.ts";
import { nodeProxies } from "../base/proxy-variables.ts";
import { createCacheClient, type CacheClient, type CacheClientOptions } from "../narinfo/cache-client.ts";
import { parseNetrc, type NetrcEntry } from "../narinfo/netrc.ts";
import { noProofs, openProofs, type Proofs } from "../cache/proofs.ts";
import { parsePublicKey, type TrustedKeys } from "../narinfo/public-keys.ts";
import type { VerifyOptions } from "../cache/verify.ts";
import { CacheUrl, type CacheSettings } from "../config/cache-schema.ts";
import { resolveSecretPath } from "../config/secrets.ts";
import { readNixNetworkSettings, type NixNetworkSettings } from "../nix/settings/network-settings.ts";
import { createExec } from "../process/create-exec.ts";

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
    throw new HomelabError("config", "no cache is configured", {
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
    throw new HomelabError("config", "no public key of the cache is configured", {
      code: "NO_CACHE_KEY",
      hint: "give --public-key NAME:BASE64, or set cache.publicKeys in the configuration",
    });
  }
  return keys;
}

export interface CachePlace {
  readonly clock: Clock;
  readonly environment: Environment;
}

/** @throws HomelabError `config` with code `BAD_CA_FILE` or `BAD_SECRET` */
export async function openCacheClient(
  settings: CacheSettings,
  url: string,
  { clock, environment }: CachePlace,
  signal: AbortSignal,
): Promise<CacheClient> {
  const { caFile, netrcFile, connections, timeoutSeconds, attempts } = settings;
  nameAuthorities(environment);
  const nix = await readNixNetworkSettings(createExec(), environment, signal);
  return createCacheClient({
    url,
    connections,
    timeoutMs: timeoutSeconds * 1000,
    retry: { attempts, firstDelayMs: 250, factor: 3, maxDelayMs: 10_000 },
    clock,
    ca: caFile === undefined ? await authoritiesOf(nix) : await readCaFile(caFile),
    proxies: nodeProxies(environment),
    netrc:
      netrcFile === undefined
        ? parseNetrc(await readIfReadable(nix.netrcFile))
        : await readNetrc(resolveSecretPath(netrcFile, environment["CREDENTIALS_DIRECTORY"])),
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

/** The authorities that Nix trusts, in addition to Node's; undefined for Node's alone. */
async function authoritiesOf({ sslCertFile }: NixNetworkSettings): Promise<CacheClientOptions["ca"]> {
  if (sslCertFile === undefined || sslCertFile === "") return undefined;
  const authorities = await readIfReadable(sslCertFile);
  if (authorities === "") return undefined;
  return () => {
    trustNamedAuthorities();
    return [...loadTls().getCACertificates("default"), authorities];
  };
}

/** Nix's files are often only for root: what cannot be read is not used. */
const readIfReadable = async (file: string): Promise<string> =>
  readBounded(file, 1024 * 1024).then(
    ({ text }) => text,
    () => "",
  );

async function readNetrc(file: string): Promise<readonly NetrcEntry[]> {
  try {
    return parseNetrc((await readBounded(file, 64 * 1024)).text);
  } catch (error) {
    // Without the cause, which could contain parts of the secret.
    throw new HomelabError("config", `cannot read the secret in ${file}: ${whyUnreadable(error)}`, {
      code: "BAD_SECRET",
      hint: "cache.netrcFile is the path of a file that only this user may read",
    });
  }
}

export async function openCache(
  settings: CacheSettings,
  choice: CacheChoice,
  place: CachePlace,
  signal: AbortSignal,
): Promise<CacheAccess> {
  const url = chooseCacheUrl(settings, choice);
  const keys = chooseKeys(settings, choice);
  const client = await openCacheClient(settings, url, place, signal);
  return { url, keys, client, [Symbol.dispose]: () => client[Symbol.dispose]() };
}

/** A proof that asks for everything now. */
export const composeVerification = (
  { connections: atOnce, timeoutSeconds }: CacheSettings,
  { client, keys }: CacheAccess,
  content: VerifyOptions["content"] = "start",
): VerifyOptions => ({
  client,
  keys,
  proofs: noProofs,
  content,
  atOnce,
  timeoutMs: timeoutSeconds * 1000,
});

export interface ProofMemory {
  /** The proofs are in `<directory>/cache`. */
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What was proven after earlier builds. Only for builds: who runs a command wants to know how it is now. */
export const openProofMemory = async (
  { recheckHours }: CacheSettings,
  { url, keys }: CacheAccess,
  { stateDirectory, clock, log }: ProofMemory,
): Promise<Proofs> =>
  recheckHours === 0
    ? noProofs
    : openProofs({
        directory: join(stateDirectory, "cache"),
        cacheUrl: url,
        keys,
        maxAgeMs: recheckHours * 3_600_000,
        clock,
        log,
      });
