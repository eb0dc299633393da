// Serves a store as Harmonia does: from the store itself, as it is now, with a narinfo made and signed for
// each question.
import { execFile } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { parseRegistrations } from "../../src/nix/store/path-facts.ts";
import { serveNarCache, type NarCache } from "./nar-cache.ts";
import type { ThrowAwayStore } from "./nix-store.ts";

const run = promisify(execFile);

export interface StoreCache extends NarCache {
  /** `name:base64` of the key that everything is signed with. */
  readonly publicKey: string;
}

export type ServedStore = Pick<ThrowAwayStore, "storeDirectory" | "environment" | "run">;

export interface ServeStoreOptions {
  /** False for only those signatures that the store itself has. */
  readonly signs?: boolean;
  /** As `nix key generate-secret` prints it; a new key without it. */
  readonly secretKey?: string;
  /** To listen on. */
  readonly host?: string;
  readonly port?: number;
}

export async function serveStore(
  store: ServedStore,
  { signs = true, secretKey, ...listen }: ServeStoreOptions = {},
): Promise<StoreCache> {
  const { keyName, key, publicKey } = secretKey === undefined ? newKey() : readKey(secretKey);
  const signed = (text: string): string =>
    `${keyName}:${sign(null, Buffer.from(text), key).toString("base64")}`;

  async function pathOf(hash: string): Promise<string | undefined> {
    const names = await readdir(store.storeDirectory);
    const name = names.find((each) => each.startsWith(`${hash}-`) && !each.endsWith(".lock"));
    return name === undefined ? undefined : join(store.storeDirectory, name);
  }

  /** A list of one object in Nix 2.8, an object by path since 2.19. */
  async function signaturesOf(path: string): Promise<readonly string[]> {
    const text = await store.run("nix", "path-info", "--json", path);
    const list = /"signatures":(?<list>\[[^\]]*\])/.exec(text)?.groups?.["list"] ?? "[]";
    return JSON.parse(list) as string[];
  }

  async function narInfoOf(path: string): Promise<Buffer | undefined> {
    const text = await store.run("nix-store", "--dump-db", path).catch(() => "");
    const [facts] = parseRegistrations(text);
    if (facts === undefined) return undefined;
    const { narHash, narSize, references } = facts;
    const hash = basename(path).slice(0, 32);
    const lines = [
      `StorePath: ${path}`,
      `URL: nar/${narHash.slice("sha256:".length)}.nar?hash=${hash}`,
      "Compression: none",
      `FileHash: ${narHash}`,
      `FileSize: ${narSize}`,
      `NarHash: ${narHash}`,
      `NarSize: ${narSize}`,
      ...(references.length === 0
        ? []
        : [`References: ${references.map((each) => basename(each)).join(" ")}`]),
      ...(await signaturesOf(path)).map((signature) => `Sig: ${signature}`),
      ...(signs ? [`Sig: ${signed(`1;${path};${narHash};${narSize};${references.join(",")}`)}`] : []),
    ];
    return Buffer.from(`${lines.join("\n")}\n`);
  }

  const cache = await serveNarCache(async (url) => {
    if (url === "/nix-cache-info") {
      return Buffer.from(`StoreDir: ${store.storeDirectory}\nWantMassQuery: 1\nPriority: 30\n`);
    }
    const hash = /^\/(?:(?<asked>\w{32})\.narinfo|nar\/\w+\.nar\?hash=(?<of>\w{32}))$/.exec(url)?.groups;
    const path = await pathOf(hash?.["asked"] ?? hash?.["of"] ?? "none");
    if (path === undefined) return undefined;
    if (url.endsWith(".narinfo")) return narInfoOf(path);
    const options = {
      env: { ...store.environment },
      encoding: "buffer",
      maxBuffer: 512 * 1024 * 1024,
    } as const;
    return (await run("nix-store", ["--dump", path], options)).stdout;
  }, listen);
  return { ...cache, publicKey: `${keyName}:${publicKey}` };
}

interface CacheKey {
  readonly keyName: string;
  readonly key: KeyObject;
  readonly publicKey: string;
}

function newKey(): CacheKey {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const base64 = Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("base64");
  return { keyName: "store-1", key: privateKey, publicKey: base64 };
}

/** Nix's own form: a name, the 32 bytes of the seed, and the 32 of the public key. */
function readKey(secretKey: string): CacheKey {
  const [keyName = "", base64 = ""] = secretKey.trim().split(":");
  const bytes = Buffer.from(base64, "base64");
  const jwk = {
    kty: "OKP",
    crv: "Ed25519",
    d: bytes.subarray(0, 32).toString("base64url"),
    x: bytes.subarray(32).toString("base64url"),
  };
  const key = createPrivateKey({ format: "jwk", key: jwk });
  return { keyName, key, publicKey: bytes.subarray(32).toString("base64") };
}
