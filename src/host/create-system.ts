// The machine that is deployed to: NixOS, with systemd as its first process.
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Environment } from "../nix/nix-environment.ts";
import type { Exec } from "../process/exec.ts";
import { tidyBootLoader } from "./boot-loader/tidy-boot-loader.ts";
import { readBootRoom } from "./boot-loader/boot-room.ts";
import { whyNotBootDefault } from "./boot-loader/why-not-boot-default.ts";
import { readClosureFile, rebootPartsOf, unitsOf, whyInhibited } from "./closure-parts.ts";
import { createHostPrograms } from "./host-programs.ts";
import type { HostRoots } from "./host-roots.ts";
import { createProfile } from "./profile.ts";
import { isProgramOf } from "./program-origin.ts";
import { realPathIfThere } from "./read-if-there.ts";
import { readPaths } from "./read-paths.ts";
import type { System } from "./system.ts";
import { runSwitch } from "./systemd/run-switch.ts";
import { createSystemctl } from "./systemd/systemctl.ts";
import { whyBusy } from "./systemd/why-busy.ts";

export interface SystemOptions {
  readonly exec: Exec;
  /** With PATH, and which store Nix uses. */
  readonly environment: Environment;
  readonly clock: Clock;
  /** `machineRoots`, but in tests. */
  readonly roots: HostRoots;
  /** What a switch prints is appended to it; asked for at each switch. */
  readonly outputFile: () => string;
}

/** Needs root, `systemctl`, `systemd-run`, `flock` and `nix-env`. */
export function createSystem({ exec, environment, clock, roots, outputFile }: SystemOptions): System {
  const programs = createHostPrograms(exec, environment);
  return {
    ...createSystemctl(programs),
    ...createProfile(programs, roots.profiles),
    async readPaths(signal) {
      signal.throwIfAborted();
      return readPaths(roots);
    },
    async unitsOf(path, signal) {
      signal.throwIfAborted();
      return unitsOf(path);
    },
    whyBusy: async (signal) => whyBusy(programs, roots, signal),
    switchTo: async (path, action, timeoutMs, signal) =>
      runSwitch({ programs, roots, clock, outputFile: outputFile() }, path, action, timeoutMs, signal),
    async tidyBootLoader(signal) {
      signal.throwIfAborted();
      await tidyBootLoader(roots);
    },
    whyNotBootDefault: async (path, signal) => whyNotBootDefault(roots, path, signal),
    async bootRoom(path, signal) {
      signal.throwIfAborted();
      return readBootRoom(roots, path);
    },
    rebootParts: rebootPartsOf,
    whyInhibited,
    isProgramOf: async (pid, path, signal) => isProgramOf(programs, pid, path, signal),
    etcOf: async (path) => realPathIfThere(join(path, "etc")),
    hasProgram: async (path, name) => (await realPathIfThere(join(path, name))) !== undefined,
    readFile: readClosureFile,
  };
}
