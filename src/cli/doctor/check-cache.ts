// The binary cache: whether it answers, serves this kind of store, and is trusted by the keys that it signs with.
// Whether it really serves what was built says `cache verify`.
import { messageOf } from "../../base/errors.ts";
import { readBounded } from "../../base/files/read-bounded.ts";
import type { CacheClient } from "../../narinfo/cache-client.ts";
import type { CacheSettings } from "../../config/cache-schema.ts";
import type { CacheAnswer } from "../../narinfo/cache-answer.ts";
import { judgeNarInfo, maxNarInfoBytes } from "../../narinfo/judge-narinfo.ts";
import { hashPartOf } from "../../narinfo/narinfo.ts";
import { parsePublicKey } from "../../narinfo/public-keys.ts";
import type { StorePath } from "../../protocol/names.ts";
import { describeRefusal } from "../../redact/refusal-line.ts";
import { findingOf, ok, unknown, warning, wrong, type Finding } from "./finding.ts";

export interface CacheParts {
  readonly openClient: () => Promise<CacheClient>;
  /** The path of the secret key, when this machine has it; undefined when it is not set or only in a service. */
  readonly secretKeyFile: string | undefined;
  /** This machine's Nix; undefined without one. */
  readonly nix:
    | {
        readonly storeDirectory: string;
        readonly trustedKeys: readonly string[];
        /** A path that was built just now: a cache of this very store has it already. */
        readonly built: StorePath | undefined;
      }
    | undefined;
}

const infoBytes = 64 * 1024;

export async function checkCache(
  settings: CacheSettings,
  { openClient, secretKeyFile, nix }: CacheParts,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  return [
    ...(settings.url === undefined ? [] : await checkAnswer(openClient, nix, settings.publicKeys, signal)),
    ...judgeKeys(settings, nix?.trustedKeys),
    ...(secretKeyFile === undefined ? [] : [await checkSecretKey(secretKeyFile, settings.publicKeys)]),
  ];
}

async function checkAnswer(
  openClient: () => Promise<CacheClient>,
  nix: CacheParts["nix"],
  publicKeys: readonly string[],
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  try {
    using client = await openClient();
    const { status, body, isCutOff } = await client.get("nix-cache-info", { maxBytes: infoBytes }, signal);
    const text = isCutOff ? "" : Buffer.from(body).toString();
    const info = judgeInfo(client.url, status, text, nix?.storeDirectory);
    if (info.state !== "ok" || nix?.built === undefined || publicKeys.length === 0) return [info];
    const path = `${hashPartOf(nix.built)}.narinfo`;
    const answer = await client.get(path, { maxBytes: maxNarInfoBytes }, signal);
    return [info, ...(await judgeSigned(client.url, nix.built, answer, publicKeys))];
  } catch (error) {
    signal.throwIfAborted();
    return [findingOf("cache", error)];
  }
}

/** A cache with a store of its own does not have the path yet: then nothing is known. */
async function judgeSigned(
  url: string,
  path: StorePath,
  answer: CacheAnswer,
  publicKeys: readonly string[],
): Promise<readonly Finding[]> {
  const check = "cache signature";
  const judgement = await judgeNarInfo(path, undefined, answer, publicKeys.map(parsePublicKey));
  if (judgement.type === "good")
    return [ok(check, `builds of this machine are signed by ${judgement.signedBy.name}`)];
  if (judgement.problem === "unsigned") {
    return [wrong(check, `${url} signs nothing`, "give the cache its signing key, and restart it")];
  }
  if (judgement.problem !== "wrongly-signed") return [];
  const advice =
    "set cache.publicKeys to the key that the cache signs with, and add it to every host's trusted-public-keys";
  return [wrong(check, `${url} signs with no key of cache.publicKeys: ${judgement.detail}`, advice)];
}

export function judgeInfo(
  url: string,
  status: number,
  text: string,
  storeDirectory: string | undefined,
): Finding {
  if (status === 401 || status === 403) {
    const message = `${url} refuses access (HTTP ${describeRefusal(status, text, [])})`;
    return wrong("cache", message, "set cache.netrcFile if it needs a name and password");
  }
  const store = /^StoreDir: (?<store>\/\S+)$/m.exec(text)?.groups?.["store"];
  if (status !== 200 || store === undefined) {
    const message = `${url}/nix-cache-info is not that of a binary cache (HTTP ${describeRefusal(status, text, [])})`;
    return wrong("cache", message, "cache.url is the root of the cache: curl URL/nix-cache-info");
  }
  if (storeDirectory !== undefined && store !== storeDirectory) {
    const message = `${url} serves ${store}, and this machine's store is ${storeDirectory}`;
    return wrong("cache", message, "cache.url must be the cache of this store");
  }
  return ok("cache", `${url} serves ${store}`);
}

/** @param trusted `trusted-public-keys` of this machine */
export function judgeKeys(
  { url, publicKeys }: Pick<CacheSettings, "url" | "publicKeys">,
  trusted: readonly string[] | undefined,
): readonly Finding[] {
  if (url !== undefined && publicKeys.length === 0) {
    const advice =
      "set cache.publicKeys to what the cache signs with: nix key convert-secret-to-public < FILE";
    return [
      warning("cache keys", "no public key of the cache is configured, so nothing can be verified", advice),
    ];
  }
  if (trusted === undefined) return [];
  return publicKeys.flatMap((key): Finding[] => {
    const name = key.split(":")[0] ?? "";
    if (trusted.includes(key)) return [ok("cache keys", `this machine trusts ${name}`)];
    const other = trusted.some((each) => each.startsWith(`${name}:`));
    const message = other
      ? `this machine trusts another key of the name ${name}`
      : `this machine does not trust ${name}`;
    const advice = `hosts that fetch from the cache need in nix.conf: extra-trusted-public-keys = ${key}`;
    return [other ? wrong("cache keys", message, advice) : warning("cache keys", message, advice)];
  });
}

async function checkSecretKey(file: string, publicKeys: readonly string[]): Promise<Finding> {
  try {
    return judgeSecretKey(file, (await readBounded(file, 64 * 1024)).text, publicKeys);
  } catch (error) {
    return unknown("cache secret key", `${file}: ${messageOf(error)}`, "run doctor as who signs");
  }
}

/** Nix writes `name:base64` of the 32 bytes of the seed and the 32 of the public key. */
export function judgeSecretKey(file: string, text: string, publicKeys: readonly string[]): Finding {
  const check = "cache secret key";
  const { name, base64 } = /^(?<name>[^\s:]+):(?<base64>[A-Za-z0-9+/]+=*)\s*$/.exec(text)?.groups ?? {};
  const bytes = Buffer.from(base64 ?? "", "base64");
  if (name === undefined || bytes.length !== 64) {
    const advice = "make one: nix key generate-secret --key-name NAME > FILE";
    return wrong(check, `${file} is not a secret key of Nix`, advice);
  }
  const publicKey = `${name}:${bytes.subarray(32).toString("base64")}`;
  if (publicKeys.includes(publicKey)) return ok(check, `${file} is the key of ${name}`);
  const advice = `add its public key to cache.publicKeys, and to every host: ${publicKey}`;
  return wrong(check, `nobody trusts what ${file} signs: its public key is not in cache.publicKeys`, advice);
}
