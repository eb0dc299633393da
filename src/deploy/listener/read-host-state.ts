// Looks at the machine, as far as a user without rights may.
import type { Clock } from "../../base/clock.ts";
import { diskOf } from "../../base/files/disk.ts";
import type { System } from "../../host/system.ts";
import type { HostPolicy } from "../../protocol/deploy/host-policy.ts";
import type { HostState } from "../../protocol/deploy/host-state.ts";
import { composeHostState } from "./compose-host-state.ts";
import type { JournalWatch } from "./journal-watch.ts";

export interface StateReaderOptions {
  readonly system: Pick<System, "readPaths" | "readUnits" | "rebootParts" | "readFile">;
  readonly journal: JournalWatch;
  readonly readPolicy: () => Promise<HostPolicy>;
  readonly storeDirectory: string;
  readonly bootDirectory: string;
  readonly version: string;
  readonly clock: Clock;
}

const maxVersionBytes = 1024;

export function createStateReader(options: StateReaderOptions): (signal: AbortSignal) => Promise<HostState> {
  const { system, journal, clock } = options;
  let seq = 0;
  return async (signal) => {
    const [policy, paths, units] = await Promise.all([
      options.readPolicy(),
      system.readPaths(signal),
      // A host whose units cannot be read still reports the rest.
      system.readUnits(signal).catch(() => []),
    ]);
    const { booted, permanent, running } = paths;
    const version =
      running === undefined
        ? undefined
        : await system.readFile(running, "nixos-version", maxVersionBytes).catch(() => undefined);
    const parts =
      booted === undefined || permanent === undefined
        ? []
        : await system.rebootParts(booted, permanent.path).catch(() => []);
    signal.throwIfAborted();
    // It rises also over a restart.
    seq = Math.max(seq + 1, clock.now().getTime());
    return composeHostState({
      policy,
      memory: journal.view()?.memory,
      paths,
      units,
      rebootNeeded: parts,
      nixosVersion: version === undefined ? undefined : new TextDecoder().decode(version),
      storeFree: await freeBytes(options.storeDirectory),
      bootFree: await freeBytes(options.bootDirectory),
      version: options.version,
      now: clock.now(),
      seq,
    });
  };
}

const freeBytes = async (directory: string): Promise<number | undefined> =>
  diskOf(directory).then(
    ({ availableBytes }) => availableBytes,
    () => undefined,
  );
