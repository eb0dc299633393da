// What hosts say about themselves, kept true: all of them now and then, and one at once when its log has news. Logs of
// deployments are read when somebody looks at them.
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { workThrough } from "../../base/work-through.ts";
import type { DeployReader, HostAddress } from "../../bus/deploy-bus.ts";
import { readDeployments } from "../../fleet/read-running.ts";
import { holdOf, type RunningFacts, type RunningHost } from "../../fleet/running-hosts.ts";
import type { Deployment } from "../../protocol/deploy/deployment.ts";
import type { Hold, HostState } from "../../protocol/deploy/host-state.ts";
import { fullName, type FullHostName } from "../../protocol/names.ts";

export type HostFacts = Pick<RunningFacts, "states" | "holdOf">;

export interface HostStates {
  /** Reads every host. */
  read(): Promise<void>;
  /** The log of a host has news: its state is read soon. */
  changed(host: HostAddress): void;
  /** News may have been missed: what was read of logs is read again. */
  doubt(): void;
  /** Newest first. */
  deployments(host: HostAddress, signal: AbortSignal): Promise<readonly Deployment[]>;
}

export interface HostStatesOptions {
  readonly deploy: DeployReader;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Milliseconds. A host stores its event before its state, so that the state is read again a little later; and a log is
 * read again after a while even without news.
 */
const times = { gather: 150, settle: 1200, keep: 15_000, patience: 15_000 } as const;
const readAtOnce = 16;
const mostLogs = 100;

interface KnownLog {
  readonly deployments: Promise<readonly Deployment[]>;
  readonly at: number;
}

export function createHostStates(
  { deploy, clock, log }: HostStatesOptions,
  onChange: (facts: HostFacts) => void,
  until: AbortSignal,
): HostStates {
  const states = new Map<FullHostName, HostState>();
  let holds: ReadonlyMap<string, Hold> = new Map();
  const wanted = new Map<FullHostName, HostAddress>();
  const logs = new Map<FullHostName, KnownLog>();
  let isGathering = false;

  const tell = (): void =>
    onChange({ states: [...states.values()], holdOf: (address) => holdOf(holds, address) });

  async function readWanted(): Promise<void> {
    const addresses = [...wanted.values()];
    wanted.clear();
    await workThrough(addresses, readAtOnce, async (address) => {
      const state = await deploy.hostState(address, until);
      if (state !== undefined) states.set(fullName(address), state);
    });
    tell();
  }

  /** What comes within a moment is read at once. */
  async function readSoon(address: HostAddress, waitMs: number): Promise<void> {
    await clock.sleep(waitMs, until);
    wanted.set(fullName(address), address);
    if (isGathering) return;
    isGathering = true;
    try {
      await clock.sleep(times.gather, until);
    } finally {
      isGathering = false;
    }
    await readWanted();
  }

  return {
    async read() {
      const [found, held] = await Promise.all([deploy.hostStates(until), deploy.holds(until)]);
      const known = new Map(states);
      states.clear();
      for (const state of found) {
        const newer = known.get(fullName(state));
        // It may have been read alone meanwhile.
        states.set(fullName(state), newer !== undefined && newer.at > state.at ? newer : state);
      }
      holds = held;
      tell();
    },
    changed(address) {
      logs.delete(fullName(address));
      for (const waitMs of [0, times.settle]) {
        readSoon(address, waitMs).catch((error: unknown) => {
          if (!until.aborted) log.debug({ err: error }, "cannot read the state of a host");
        });
      }
    },
    doubt: () => logs.clear(),
    async deployments(address, signal) {
      const name = fullName(address);
      const now = clock.monotonic();
      const known = logs.get(name);
      if (known !== undefined && now - known.at < times.keep) return heard(known.deployments, signal);
      // Several pages share one reading, so that it is not that of the page which asked first.
      const ends = AbortSignal.any([until, AbortSignal.timeout(times.patience)]);
      const deployments = readDeployments(deploy, address, ends);
      logs.delete(name);
      logs.set(name, { deployments, at: now });
      const [oldest] = logs.keys();
      if (logs.size > mostLogs && oldest !== undefined) logs.delete(oldest);
      deployments.catch(() => {
        if (logs.get(name)?.deployments === deployments) logs.delete(name);
      });
      return heard(deployments, signal);
    },
  };
}

/** The reading continues without whoever does not wait any more. */
async function heard<T>(reading: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const left = Promise.withResolvers<never>();
  const leave = (): void => left.reject(signal.reason as Error);
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await Promise.race([reading, left.promise]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

/** A host of which nothing changed stays the same object: what was drawn of it can be remembered. */
export function keepUnchanged(
  before: readonly RunningHost[],
  after: readonly RunningHost[],
): readonly RunningHost[] {
  const known = new Map(before.map((host) => [fullName(host), host]));
  return after.map((host) => {
    const old = known.get(fullName(host));
    return old !== undefined && isDeepStrictEqual(old, host) ? old : host;
  });
}
