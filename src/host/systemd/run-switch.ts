// Runs switch-to-configuration in a unit of its own. A switch restarts whatever it likes, so neither the unit nor its
// output may hang on the process that asked for it: no pipe, and a time limit that systemd itself keeps.
import { mkdir, open, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import type { StorePath } from "../../protocol/names.ts";
import { commandFailed, lastLineOf, type HostPrograms } from "../host-programs.ts";
import type { HostRoots } from "../host-roots.ts";
import { namesIfThere, orUndefined } from "../read-if-there.ts";
import type { SwitchResult, System } from "../system.ts";
import { isUnitRunning } from "./active-state.ts";
import { parseUnitEnd } from "./switch-end.ts";

export const switchUnit = "homelab-deploy-switch.service";
const maxOutputBytes = 1024 * 1024;
/** Between SIGTERM and SIGKILL to all that the switch has started. */
const stopSeconds = 5;
/** How much longer than the switch's own limit systemd may take to end it. */
const backstopMs = 60_000;
const lookEveryMs = 500;

export interface SwitchRunner {
  readonly programs: HostPrograms;
  readonly roots: HostRoots;
  readonly clock: Clock;
  /** Both streams of every switch are appended to it. */
  readonly outputFile: string;
}

type Action = Parameters<System["switchTo"]>[1];

export async function runSwitch(
  { programs, roots, clock, outputFile }: SwitchRunner,
  path: StorePath,
  action: Action,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<SwitchResult> {
  await mkdir(dirname(outputFile), { recursive: true });
  const start = (await orUndefined(stat(outputFile)))?.size ?? 0;
  await endLeftSwitch(programs, signal);
  const args = unitArguments(path, action, timeoutMs, outputFile);
  try {
    const asked = await programs.ask("systemd-run", args, signal, { timeoutMs: timeoutMs + backstopMs });
    const end = parseUnitEnd(asked.stderrTail);
    if (end === undefined) {
      if (!(await isUnitRunning(programs, switchUnit, signal))) {
        throw commandFailed("systemd-run", args, lastLineOf(asked));
      }
      // systemd-run has lost the unit. The unit still runs, and has a time limit of its own.
      while (await isUnitRunning(programs, switchUnit, signal)) await clock.sleep(lookEveryMs, signal);
    }
    return {
      exitCode: end?.hasExited === true ? asked.exitCode : undefined,
      timedOut: end?.result === "timeout",
      output: await readFrom(outputFile, start),
      leftLists: await hasLists(roots),
    };
  } catch (error) {
    // Ending systemd-run does not end what it has started.
    await endLeftSwitch(programs, AbortSignal.timeout(backstopMs));
    throw error;
  }
}

function unitArguments(
  path: StorePath,
  action: Action,
  timeoutMs: number,
  outputFile: string,
): readonly string[] {
  const properties = [
    `StandardOutput=append:${outputFile}`,
    `StandardError=append:${outputFile}`,
    `RuntimeMaxSec=${Math.max(1, Math.ceil(timeoutMs))}ms`,
    `TimeoutStopSec=${stopSeconds}`,
    "KillMode=control-group",
    "SendSIGKILL=yes",
  ];
  return [
    "--wait",
    "--collect",
    "--no-ask-password",
    `--unit=${switchUnit}`,
    "--service-type=exec",
    "--description=Switch of homelab-deploy",
    ...properties.map((property) => `--property=${property}`),
    "--",
    `${path}/bin/switch-to-configuration`,
    action,
  ];
}

/** Ends the switch of a process of ours that was killed while it waited for it. */
async function endLeftSwitch(programs: HostPrograms, signal: AbortSignal): Promise<void> {
  if (!(await isUnitRunning(programs, switchUnit, signal))) return;
  await programs.ask("systemctl", ["stop", "--no-ask-password", "--", switchUnit], signal);
}

async function readFrom(file: string, start: number): Promise<string> {
  await using opened = await open(file, "r");
  const buffer = Buffer.alloc(maxOutputBytes);
  const { bytesRead } = await opened.read(buffer, 0, maxOutputBytes, start);
  return buffer.toString("utf8", 0, bytesRead);
}

/** `start-list`, `restart-list` and `reload-list`: what a switch had still to do. */
const hasLists = async ({ run }: HostRoots): Promise<boolean> =>
  (await namesIfThere(join(run, "nixos"))).some((name) => name.endsWith("-list"));
