// What a deployment needs of the machine that it changes. `createSystem` is the real one; tests and the pretended host have
// their own.
import type { RebootPart } from "../protocol/deploy/deploy-events.ts";
import type { StorePath } from "../protocol/names.ts";

/** What runs, and what would run after a boot. A link that is missing, or leads out of the store, is undefined. */
export interface SystemPaths {
  /** `/run/current-system`; set by the last line of the activation script, so units may be newer than it. */
  readonly running: StorePath | undefined;
  /** The real path of `/etc/static`; undefined where there is none. */
  readonly etcStatic: string | undefined;
  /** `/run/booted-system` */
  readonly booted: StorePath | undefined;
  readonly permanent: { readonly path: StorePath; readonly generation: number } | undefined;
  /** The system of the boot loader's default entry; undefined where the boot loader is one that we cannot read. */
  readonly bootDefault: StorePath | undefined;
  readonly bootId: string;
}

/** What systemd says about a unit, of the kinds that a system consists of. */
export interface UnitState {
  readonly name: string;
  /** `name`, and its aliases: which of them is the name may differ between two systems. */
  readonly names: readonly string[];
  /** `active`, `inactive`, `failed`, `activating`, … */
  readonly active: string;
  /** `running`, `exited`, `auto-restart`, … */
  readonly sub: string;
  readonly result: string;
  readonly type: string;
  readonly restarts: number;
  /** Some unit that is active starts it when it is needed: its socket, timer or path. */
  readonly isTriggered: boolean;
  /** Some unit that is active wants or requires it, so a boot starts it. */
  readonly isWanted: boolean;
}

/** How `switch-to-configuration` ended. */
export interface SwitchResult {
  /** Undefined where it was killed, or did not end in time. */
  readonly exitCode: number | undefined;
  readonly timedOut: boolean;
  /** The output of both streams, the first MiB. */
  readonly output: string;
  /** It left lists in `/run/nixos`: it had stopped units, and did not start them again. */
  readonly leftLists: boolean;
}

export interface GenerationInfo {
  readonly generation: number;
  readonly path: StorePath;
}

/** @throws HomelabError of what the machine refuses; an abort ends what runs. */
export interface System {
  readPaths(signal: AbortSignal): Promise<SystemPaths>;
  /** The real path of a system's `etc`, to compare with `etcStatic`; undefined where it has none. */
  etcOf(path: StorePath): Promise<string | undefined>;
  readUnits(signal: AbortSignal): Promise<readonly UnitState[]>;
  /** Units that belong to this closure: files in `etc/systemd/system`, and instances of templates that it starts. */
  unitsOf(path: StorePath, signal: AbortSignal): Promise<ReadonlySet<string>>;
  /**
   * Why nobody may switch now: an activation of somebody else, a held lock, a machine that shuts down. Undefined when
   * one may.
   */
  whyBusy(signal: AbortSignal): Promise<string | undefined>;
  /** Whether the machine still boots: units that are not up may only have to wait for others. */
  isBooting(signal: AbortSignal): Promise<boolean>;
  /** Runs `PATH/bin/switch-to-configuration ACTION` in a unit of its own, and all of it ends within the time. */
  switchTo(
    path: StorePath,
    action: "test" | "boot" | "check",
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<SwitchResult>;
  /** Cancels the jobs of systemd that a killed switch has left. */
  cancelJobs(signal: AbortSignal): Promise<void>;
  /** Starts units once, and does not wait for them. */
  startUnits(names: readonly string[], signal: AbortSignal): Promise<void>;
  /** Makes it the newest generation of the system's profile. */
  setProfile(path: StorePath, signal: AbortSignal): Promise<void>;
  switchGeneration(generation: number, signal: AbortSignal): Promise<void>;
  listGenerations(signal: AbortSignal): Promise<readonly GenerationInfo[]>;
  deleteGenerations(generations: readonly number[], signal: AbortSignal): Promise<void>;
  /**
   * What is left of a boot loader's installation that was cut off, and makes every later one fail, is removed.
   */
  tidyBootLoader(signal: AbortSignal): Promise<void>;
  /** Why the boot loader would not boot this system by default, as far as that can be read; undefined when it would. */
  whyNotBootDefault(path: StorePath, signal: AbortSignal): Promise<string | undefined>;
  /** Bytes: what `/boot` has free, and what this system would need there beside what is there. */
  bootRoom(
    path: StorePath,
    signal: AbortSignal,
  ): Promise<{ readonly free: number; readonly needed: number } | undefined>;
  /** Parts in which two systems differ that only a boot takes over. */
  rebootParts(booted: StorePath, other: StorePath): Promise<readonly RebootPart[]>;
  /** Whether the new system may not be switched to while this one runs (`switch-inhibitors`), and why. */
  whyInhibited(running: StorePath, next: StorePath): Promise<string | undefined>;
  /** Whether a closure has this program. */
  hasProgram(path: StorePath, name: string): Promise<boolean>;
  /** A file of a closure, such as its host policy; undefined where there is none. @throws when it is too large */
  readFile(path: StorePath, name: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** Whether everything that this process was started from is part of that system's closure. */
  isProgramOf(pid: number, path: StorePath, signal: AbortSignal): Promise<boolean>;
  reboot(signal: AbortSignal): Promise<void>;
}
