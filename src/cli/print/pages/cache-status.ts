// `homelab-deploy cache status`
import type { CacheProbe } from "../../../cache/cache-info.ts";
import type { Disk } from "../../../base/files/disk.ts";
import type { PathProblem } from "../../../narinfo/path-problem.ts";
import type { StorePath } from "../../../protocol/names.ts";
import { formatBytes } from "../../../words/duration.ts";
import type { Style } from "../style.ts";

export interface StoreStatus {
  readonly storeDirectory: string;
  readonly disk: Disk;
  /** The bytes of everything that is rooted, once, as archives. */
  readonly rootBytes: number;
  /** Absent where what was built does not span a day yet. */
  readonly growthBytesPerDay: number | undefined;
  readonly daysUntilFull: number | undefined;
  readonly newestSystem: StorePath | undefined;
}

export type SignatureStatus =
  | { readonly path: StorePath; readonly signedBy: string }
  | { readonly path: StorePath; readonly problem: PathProblem; readonly detail: string };

/** Why something is not known here. */
export interface NotKnown {
  readonly reason: string;
  /** The cache does not let us have it. */
  readonly isRefused: boolean;
}

type OrReason<Known> = Known | NotKnown;

export interface CacheStatus {
  readonly url: string;
  readonly keys: readonly string[];
  readonly probe: OrReason<CacheProbe>;
  readonly store: OrReason<StoreStatus>;
  /** The signature of the newest system; undefined if there is nothing to ask for. */
  readonly signature: OrReason<SignatureStatus> | undefined;
}

/** Silent: it does not answer. Refused: not to us. Faulty: hosts could not use it. */
export function cacheStateOf(status: CacheStatus): "sound" | "faulty" | "silent" | "refused" {
  if ([status.probe, status.signature].some((part) => part !== undefined && isRefusal(part)))
    return "refused";
  if ("reason" in status.probe || (status.signature !== undefined && "reason" in status.signature))
    return "silent";
  return faultOf(status) === undefined ? "sound" : "faulty";
}

const isRefusal = (part: OrReason<CacheProbe> | OrReason<SignatureStatus>): boolean =>
  "reason" in part ? part.isRefused : "problem" in part && part.problem === "refused";

function faultOf({ probe, store, signature }: CacheStatus): string | undefined {
  if (!("reason" in probe) && !("reason" in store) && probe.info.storeDirectory !== store.storeDirectory)
    return `it serves the store ${probe.info.storeDirectory}, and this is ${store.storeDirectory}`;
  return signature !== undefined && "problem" in signature
    ? `${signature.path} is ${signature.problem}: ${signature.detail}`
    : undefined;
}

export function renderCacheStatus(status: CacheStatus, style: Style): string {
  const { url, keys, probe, store, signature } = status;
  const { success, failure } = style.glyphs;
  const good = (text: string): string => `${style.green(success)} ${style.clean(text)}`;
  const bad = (text: string): string => `${style.red(failure)} ${style.clean(text)}`;
  const unknown = (text: string): string => style.dim(`${style.glyphs.unknown} ${style.clean(text)}`);
  const lines: string[] = [];
  if ("reason" in probe) lines.push(bad(probe.reason));
  else {
    const { info, latencyMs } = probe;
    const priority = info.priority === undefined ? "no priority (Nix takes 50)" : `priority ${info.priority}`;
    lines.push(
      good(`${url} answers in ${latencyMs.toFixed(1)} ms: store ${info.storeDirectory}, ${priority}`),
    );
    if (!info.wantMassQuery) lines.push(unknown("it does not want mass queries, so hosts ask it last"));
  }
  const fault = faultOf(status);
  if (fault !== undefined) lines.push(bad(fault));
  if (signature === undefined) lines.push(unknown(`trusted: ${keys.join(", ")}; no system here to ask for`));
  else if ("reason" in signature) lines.push(bad(signature.reason));
  else if ("signedBy" in signature)
    lines.push(good(`the newest system, ${signature.path}, is signed by ${signature.signedBy}`));
  return `${[...lines, ...storeLines(store, unknown)].join("\n")}\n`;
}

function storeLines(store: CacheStatus["store"], unknown: (text: string) => string): readonly string[] {
  if ("reason" in store) return [unknown(`its store is not known here: ${store.reason}`)];
  const { disk, rootBytes, growthBytesPerDay, daysUntilFull } = store;
  const growth =
    growthBytesPerDay === undefined
      ? "growth is not known before a second commit, a day later"
      : `grows by ${formatBytes(growthBytesPerDay)} a day`;
  const full = daysUntilFull === undefined ? "" : `; with nothing dropped, full in ${daysUntilFull} days`;
  return [
    `  disk: ${formatBytes(disk.availableBytes)} of ${formatBytes(disk.totalBytes)} free`,
    `  rooted: ${formatBytes(rootBytes)}, ${growth}${full}`,
  ];
}

export function cacheStatusJson(status: CacheStatus): object {
  const { url, keys, probe, store, signature } = status;
  const isReachable = !("reason" in probe);
  return {
    cache: url,
    sound: cacheStateOf(status) === "sound",
    reachable: isReachable,
    ...(isReachable ? { latencyMs: probe.latencyMs, info: probe.info } : { reason: probe.reason }),
    keys,
    fault: faultOf(status) ?? null,
    signature: signature ?? null,
    store,
  };
}
