// A host that is only a directory. Links, profile, boot default and what is read of closures are those of the product, at
// places below it; only systemd is pretended: a unit is a file that says how it is. No program of this machine's own system is
// asked or told anything, so nobody needs rights for it.
import { randomUUID } from "node:crypto";
import { appendFile, mkdir, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../../src/base/clock.ts";
import { createSystem } from "../../../src/host/create-system.ts";
import type { HostRoots } from "../../../src/host/host-roots.ts";
import type { System, UnitState } from "../../../src/host/system.ts";
import type { Environment } from "../../../src/nix/nix-environment.ts";
import type { Exec } from "../../../src/process/exec.ts";
import type { StorePath } from "../../../src/protocol/names.ts";

/** Names the directory to a closure's `switch-to-configuration`; that of the demo changes nothing without it. */
export const directoryVariable = "PRETENDED_HOST";

export function rootsIn(directory: string): HostRoots {
  const at = (name: string): string => join(directory, name);
  return {
    run: at("run"),
    etc: at("etc"),
    profiles: at("profiles"),
    boot: at("boot"),
    efi: at("efi"),
    efiVariables: at("efi-variables"),
    bootId: at("boot-id"),
  };
}

export interface PretendedSystemOptions {
  readonly exec: Exec;
  /** With PATH, and which store Nix uses. */
  readonly environment: Environment;
  readonly clock: Clock;
  readonly directory: string;
  /** What a switch prints is appended to it; asked for at each switch. */
  readonly outputFile: () => string;
}

export function createPretendedSystem(options: PretendedSystemOptions): System {
  const { exec, directory, outputFile } = options;
  const roots = rootsIn(directory);
  const units = join(roots.run, "units");
  return {
    ...createSystem({ ...options, roots }),
    async readUnits(signal) {
      signal.throwIfAborted();
      const names = await readdir(units).catch(() => []);
      return Promise.all(
        names.map(async (name) => unitOf(name, (await readFile(join(units, name), "utf8")).trim())),
      );
    },
    async startUnits(names) {
      for (const name of names) await writeFile(join(units, name), "active\n");
    },
    whyBusy: async () => undefined,
    cancelJobs: async () => {},
    // Its listener is a part of the demo, and of no closure.
    isProgramOf: async () => true,
    isBooting: async () => false,
    async switchTo(path, action, timeoutMs, signal) {
      const { PATH = "" } = options.environment;
      const env = { PATH, [directoryVariable]: directory };
      const result = await exec(programOf(path), [action], { env, cwd: directory, timeoutMs, signal });
      const output = `${result.stdout}${result.stderrTail}`;
      await appendFile(outputFile(), output);
      const { exitCode, timedOut } = result;
      return { exitCode: timedOut ? undefined : exitCode, timedOut, output, leftLists: false };
    },
    async reboot() {
      throw new Error("a pretended host cannot be rebooted");
    },
  };
}

const programOf = (path: StorePath): string => join(path, "bin/switch-to-configuration");

const unitOf = (name: string, active: string): UnitState => ({
  name,
  names: [name],
  active,
  sub: active === "active" ? "running" : active,
  result: active === "failed" ? "exit-code" : "success",
  type: "simple",
  restarts: 0,
  isTriggered: false,
  isWanted: true,
});

/** What a person does once to a new machine: this system runs, is permanent and was booted. Not done twice. */
export async function installSystem(
  system: System,
  directory: string,
  path: StorePath,
  signal: AbortSignal,
): Promise<void> {
  const roots = rootsIn(directory);
  const booted = join(roots.run, "booted-system");
  const isInstalled = await readlink(booted).then(
    () => true,
    () => false,
  );
  if (isInstalled) return;
  for (const each of [roots.run, roots.etc, roots.profiles, roots.boot])
    await mkdir(each, { recursive: true });
  await writeFile(roots.bootId, `${randomUUID()}\n`);
  await system.setProfile(path, signal);
  for (const action of ["test", "boot"] as const) {
    const { exitCode, output } = await system.switchTo(path, action, 60_000, signal);
    if (exitCode !== 0) throw new Error(`${programOf(path)} ${action} failed: ${output}`);
  }
  await symlink(path, booted);
}
