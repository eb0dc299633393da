// Keys in each other's place. A client signs whatever challenge a NATS server sends, so a key that signs in must never be one
// that orders or statements are signed with: whoever owned the server could have any order signed.
import { timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { rawSeed } from "../../../signing/raw-key.ts";
import { wrong, type Finding } from "../finding.ts";

export interface KeyUse {
  /** Where it is in the configuration: `nats.nkeyFile`. */
  readonly setting: string;
  readonly path: string;
  readonly use: "signs in" | "signs";
  /** Further findings about it, unless it is in the wrong place. */
  readonly check: string;
}

interface UsedKey extends KeyUse {
  readonly publicKey: string;
  readonly raw: Uint8Array;
}

/** Lists only what is wrong. Files that cannot be read, or hold no key, are reported by whoever needs them. */
export async function checkKeyUses(uses: readonly KeyUse[]): Promise<readonly Finding[]> {
  const keys = (await Promise.all(uses.map(readKey))).filter((key) => key !== undefined);
  return [...keys.flatMap(inWrongPlace), ...twiceUsed(keys)];
}

async function readKey(use: KeyUse): Promise<UsedKey | undefined> {
  try {
    return { ...use, ...rawSeed((await readFile(use.path, "utf8")).trim()) };
  } catch {
    return undefined;
  }
}

function inWrongPlace({ setting, path, use, check: need, publicKey }: UsedKey): readonly Finding[] {
  const check = `key ${setting}`;
  if (use === "signs in" && publicKey.startsWith("A")) {
    return [
      wrong(
        check,
        `${path} contains a signing key (${publicKey}), which would sign whatever a NATS server asks it to`,
        `make a key for NATS with homelab-deploy nats keygen FILE, and name that in ${setting}`,
        { concerns: [need] },
      ),
    ];
  }
  if (use === "signs" && publicKey.startsWith("U")) {
    return [
      wrong(
        check,
        `${path} contains a NATS key (${publicKey}), which must not sign orders: a server may have had it sign anything`,
        `make a signing key with homelab-deploy keys create FILE, and name that in ${setting}`,
        { concerns: [need] },
      ),
    ];
  }
  return [];
}

/** One seed can be written as a key of either type. */
function twiceUsed(keys: readonly UsedKey[]): readonly Finding[] {
  const signers = keys.filter(({ use }) => use === "signs");
  return keys.flatMap(({ use, setting, path, raw }) => {
    const same = use === "signs in" ? signers.find((key) => timingSafeEqual(key.raw, raw)) : undefined;
    if (same === undefined) return [];
    return [
      wrong(
        `key ${same.setting}`,
        `${same.path} and ${path} hold the same secret, so whoever owns the NATS server can have anything signed`,
        `make two new keys, and take ${same.publicKey} out of what hosts trust; ${setting} and ${same.setting} must not share one`,
      ),
    ];
  });
}
