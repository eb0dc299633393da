// What was proven before, so that only what is new is asked for. A cache of answers: it may be lost at any time.
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { readIfSmall } from "../base/files/read-bounded.ts";
import { replaceFile } from "../base/files/replace-file.ts";
import type { Sha256 } from "../protocol/store-paths/sha256.ts";
import type { StorePath } from "../protocol/names.ts";
import type { TrustedKey, TrustedKeys } from "../narinfo/public-keys.ts";

export interface Proofs {
  /** The cache served this content of the path, signed by a key that is trusted now, and not too long ago. */
  has(path: StorePath, narHash: Sha256): boolean;
  add(path: StorePath, narHash: Sha256, by: TrustedKey): void;
  forget(path: StorePath): void;
  /** Never throws: what cannot be written is asked for again next time. */
  save(): Promise<void>;
}

export interface ProofsOptions {
  /** Ours alone; a file for each cache. */
  readonly directory: string;
  readonly cacheUrl: string;
  readonly keys: TrustedKeys;
  /** What was proven longer ago is not believed any more. */
  readonly maxAgeMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** The newest so many are kept. */
  readonly maxProofs?: number;
}

interface Proof {
  readonly narHash: Sha256;
  readonly key: string;
  /** Seconds since 1970. */
  readonly at: number;
}

const defaultMaxProofs = 200_000;
const line = /^(?<path>\/\S+) (?<narHash>sha256:[0-9a-z]{52}) (?<key>[0-9a-f]{16}) (?<at>\d{1,12})$/;

const digest = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);

export async function openProofs(options: ProofsOptions): Promise<Proofs> {
  const { directory, cacheUrl, keys, maxAgeMs, clock, log, maxProofs = defaultMaxProofs } = options;
  const file = join(directory, `proofs-${digest(cacheUrl)}`);
  const trusted = new Set(keys.map(({ text }) => digest(text)));
  const seconds = (): number => Math.floor(clock.now().getTime() / 1000);
  // A time to come is that of a clock that was wrong.
  const counts = ({ key, at }: Proof): boolean =>
    trusted.has(key) && at <= seconds() && seconds() - at <= maxAgeMs / 1000;
  const proofs = parseProofs(await readIfSmall(file), counts);

  return {
    has(path, narHash) {
      const proof = proofs.get(path);
      return proof !== undefined && proof.narHash === narHash && counts(proof);
    },
    add(path, narHash, by) {
      // The most recently added proofs are last.
      proofs.delete(path);
      proofs.set(path, { narHash, key: digest(by.text), at: seconds() });
    },
    forget: (path) => void proofs.delete(path),
    async save() {
      const newest = [...proofs].filter(([, proof]) => counts(proof)).slice(-maxProofs);
      const lines = newest.map(([path, { narHash, key, at }]) => `${path} ${narHash} ${key} ${at}\n`);
      try {
        await replaceFile(file, lines.join(""));
      } catch (error) {
        log.warn({ err: error, file }, "what the cache was proven to serve cannot be remembered");
      }
    },
  };
}

/** Proves nothing: everything is asked for. */
export const noProofs: Proofs = {
  has: () => false,
  add() {},
  forget() {},
  async save() {},
};

function parseProofs(text: string, counts: (proof: Proof) => boolean): Map<string, Proof> {
  const proofs = new Map<string, Proof>();
  for (const each of text.split("\n")) {
    const { path, narHash, key, at } = line.exec(each)?.groups ?? {};
    if (path === undefined || key === undefined) continue;
    const proof = { narHash: narHash as Sha256, key, at: Number(at) };
    if (counts(proof)) proofs.set(path, proof);
  }
  return proofs;
}
