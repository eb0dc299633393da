// What a cache says about itself, and how fast.
import { HomelabError } from "../base/errors.ts";
import type { Clock } from "../base/clock.ts";
import { describeRefusal } from "../redact/refusal-line.ts";
import type { CacheClient } from "../narinfo/cache-client.ts";

export interface CacheInfo {
  /** The only store that its paths can be used in. */
  readonly storeDirectory: string;
  /** The lower, the earlier Nix asks it; cache.nixos.org has 40. Absent where it says none: Nix takes 50. */
  readonly priority?: number;
  /** Whether Nix may ask it for many paths at once. */
  readonly wantMassQuery: boolean;
}

export interface CacheProbe {
  readonly info: CacheInfo;
  /** The latency in milliseconds of the usual answer, over a connection that is open already. */
  readonly latencyMs: number;
}

const maxBytes = 16 * 1024;
const rounds = 5;

/** Reads `nix-cache-info`; undefined if the text is something else. */
export function parseCacheInfo(text: string): CacheInfo | undefined {
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}: *(?<value>\\S+) *$`, "m").exec(text)?.groups?.["value"];
  const storeDirectory = field("StoreDir");
  if (storeDirectory?.startsWith("/") !== true) return undefined;
  const priority = field("Priority");
  return {
    storeDirectory,
    priority: priority !== undefined && /^\d{1,9}$/.test(priority) ? Number(priority) : undefined,
    wantMassQuery: field("WantMassQuery") === "1",
  };
}

/**
 * @throws HomelabError `unavailable` with code `CACHE_UNREACHABLE`, also when something else answers there; `refused`
 *   with code `CACHE_REFUSED`
 */
export async function probeCache(
  client: CacheClient,
  clock: Clock,
  signal: AbortSignal,
): Promise<CacheProbe> {
  const durations: number[] = [];
  let text = "";
  let refusal: string | undefined;
  // The first answer has the time in it that connecting takes.
  for (let round = 0; round <= rounds; round++) {
    const startedAt = clock.monotonic();
    const { status, body, isCutOff } = await client.get("nix-cache-info", { maxBytes }, signal);
    if (round > 0) durations.push(clock.monotonic() - startedAt);
    const answer = new TextDecoder().decode(body);
    text = status === 200 && !isCutOff ? answer : "";
    refusal = status === 401 || status === 403 ? describeRefusal(status, answer, []) : undefined;
  }
  if (refusal !== undefined) {
    throw new HomelabError("refused", `the cache ${client.url} refuses access (HTTP ${refusal})`, {
      code: "CACHE_REFUSED",
      hint: "set cache.netrcFile if it needs a name and password",
    });
  }
  const info = parseCacheInfo(text);
  if (info === undefined) {
    throw new HomelabError("unavailable", `what answers at ${client.url} is not a binary cache`, {
      code: "CACHE_UNREACHABLE",
      hint: "check cache.url, and proxies in front of the cache: curl URL/nix-cache-info",
    });
  }
  return { info, latencyMs: durations.toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0 };
}
