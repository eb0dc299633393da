// Whether somebody else is changing the system just now.
import { access } from "node:fs/promises";
import { join } from "node:path";
import type { HostPrograms } from "../host-programs.ts";
import { commandFailed, lastLineOf } from "../host-programs.ts";
import type { HostRoots } from "../host-roots.ts";
import { orUndefined } from "../read-if-there.ts";
import { switchUnit } from "./run-switch.ts";

/** What nixos-rebuild names its transient unit; with a number where several may run. */
const rebuildUnits = "nixos-rebuild-switch-to-configuration*";
const isHeld = 75;

export async function whyBusy(
  programs: HostPrograms,
  { run }: HostRoots,
  signal: AbortSignal,
): Promise<string | undefined> {
  // It exits with 1 for every state but `running`.
  const { stdout: state } = await programs.ask("systemctl", ["is-system-running"], signal);
  if (state.trim() === "stopping") return "the machine shuts down";
  const states = "--state=active,activating,deactivating,reloading";
  const { stdout: units } = await programs.run(
    "systemctl",
    ["list-units", "--all", "--plain", "--no-legend", states, "--", rebuildUnits, switchUnit],
    signal,
  );
  const unit = /^\s*(?<unit>\S+)/.exec(units)?.groups?.["unit"];
  if (unit !== undefined) return `${unit} is running`;
  return (await isLocked(programs, join(run, "nixos/switch-to-configuration.lock"), signal))
    ? "another switch-to-configuration holds its lock"
    : undefined;
}

/** The file stays after the first switch; only the kernel knows whether somebody holds it. */
async function isLocked(programs: HostPrograms, file: string, signal: AbortSignal): Promise<boolean> {
  // Or flock would make it.
  const isThere = await orUndefined(access(file).then(() => true));
  if (isThere !== true) return false;
  const args = ["--nonblock", "--conflict-exit-code", `${isHeld}`, file, "true"];
  const result = await programs.ask("flock", args, signal);
  if (result.exitCode === isHeld) return true;
  if (result.exitCode !== 0) throw commandFailed("flock", args, lastLineOf(result));
  return false;
}
