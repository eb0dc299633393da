// What a plan would change on its hosts, as far as that can be read quickly: packages, bytes to fetch, and reboots.
import { HomelabError } from "../../base/errors.ts";
import type { Config } from "../../config/schema.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { Context } from "../context.ts";
import { readSystems } from "./read-closures.ts";
import { diffSystems, type SystemDiff } from "./system-diff.ts";

export interface ChangingHost {
  readonly host: string;
  readonly from?: StorePath;
  readonly to?: StorePath;
}

export interface HostChange extends Pick<SystemDiff, "packages" | "reboot"> {
  readonly host: string;
  /** Unpacked, of paths that the running system does not have. The host may have some of them all the same. */
  readonly bytesToFetch: number;
}

export interface PlanChanges {
  readonly read: readonly HostChange[];
  readonly unread: readonly { readonly host: string; readonly why: string }[];
}

const mostRead = 20;
const atOnce = 4;
const patienceMs = 10_000;

type Read = (host: string, from: StorePath, to: StorePath, signal: AbortSignal) => Promise<HostChange>;

/** Hosts that run it already are left out. */
export async function readPlanChanges(
  hosts: readonly ChangingHost[],
  read: Read,
  signal: AbortSignal,
  timeMs: number = patienceMs,
): Promise<PlanChanges> {
  const outOfTime = AbortSignal.timeout(timeMs);
  const reading = AbortSignal.any([signal, outOfTime]);
  const changing = hosts.filter(({ from, to }) => to !== undefined && from !== to);
  const done: HostChange[] = [];
  const unread: { readonly host: string; readonly why: string }[] = [];
  const waiting = changing.slice(0, mostRead);
  for (const { host } of changing.slice(mostRead))
    unread.push({ host, why: `only ${mostRead} hosts are read` });

  async function readOne({ host, from, to }: ChangingHost): Promise<void> {
    if (from === undefined || to === undefined) {
      unread.push({ host, why: "it has not reported what it runs" });
      return;
    }
    try {
      reading.throwIfAborted();
      done.push(await read(host, from, to, reading));
    } catch (error) {
      signal.throwIfAborted();
      if (outOfTime.aborted) unread.push({ host, why: "there was no time" });
      else if (error instanceof HomelabError) unread.push({ host, why: error.message });
      else throw error;
    }
  }
  async function readAll(): Promise<void> {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await readOne(next);
  }
  await Promise.all(Array.from({ length: atOnce }, readAll));
  const order = new Map(hosts.map(({ host }, index) => [host, index]));
  const inOrder = (a: { readonly host: string }, b: { readonly host: string }): number =>
    (order.get(a.host) ?? 0) - (order.get(b.host) ?? 0);
  return { read: done.toSorted(inOrder), unread: unread.toSorted(inOrder) };
}

/** From this machine's store, or from the cache. */
export const changeReader =
  (context: Context, config: Config): Read =>
  async (host, from, to, signal) => {
    const { closures } = await readSystems(context, config, [from, to], signal);
    const [before, after] = closures;
    if (before === undefined || after === undefined) throw new TypeError("a closure is missing");
    const had = new Set<string>(before.paths.map(({ path }) => path));
    const { packages, reboot } = diffSystems(before, after);
    const bytesToFetch = after.paths
      .filter(({ path }) => !had.has(path))
      .reduce((sum, { size }) => sum + size, 0);
    return { host, packages, reboot, bytesToFetch };
  };
