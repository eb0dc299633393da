// The last look before anything is touched, and the record of what there is: the switch itself makes systemd forget it.
import type { SystemPaths, UnitState } from "../../host/system.ts";
import type { StorePath } from "../../protocol/names.ts";
import { giveUp, linkOf, policyOf, timeoutMs, type Activation } from "../activation.ts";
import { decidePreflight, type PreflightRefusal } from "../decide-preflight.ts";
import { activeUnits, flappingUnits } from "../decide-units.ts";
import type { Baseline } from "../journal.ts";

/** Somebody else who switches gets this long. */
export const patienceMs = 60_000;
export const lookMs = 2_000;
const maxSmallFileBytes = 64 * 1024;

export async function preflightStep(activation: Activation, signal: AbortSignal): Promise<void> {
  const { system } = activation;
  const { order } = activation.deployment();
  const busy = await waitWhileBusy(activation, signal);
  if (busy !== undefined) return giveUp(activation, "failed", { code: "BUSY", detail: busy });
  const paths = await system.readPaths(signal);
  if (paths.running === undefined) {
    return giveUp(activation, "failed", { code: "CHANGED_MEANWHILE", detail: "what runs here is unknown" });
  }
  const unitsBefore = await system.readUnits(signal);
  const refusal =
    order.kind === "reboot" ? rebootRefusal(activation, paths) : await refusalOf(activation, paths, signal);
  if (refusal !== undefined) return giveUp(activation, "rejected", refusal);
  const recorded = await recordBaseline(activation, paths, paths.running, unitsBefore, signal);
  const { baseline: earlier, isStaged } = activation.deployment();
  // A staged system is already permanent, but it is not a rollback target.
  const baseline =
    isStaged && earlier !== undefined
      ? { ...recorded, permanent: earlier.permanent, bootDefault: earlier.bootDefault }
      : recorded;
  const reboot =
    paths.booted === undefined ? [] : await system.rebootParts(paths.booted, order.path).catch(() => []);
  const room = await system.bootRoom(order.path, signal);
  const inhibited =
    order.kind === "reboot" ? undefined : await system.whyInhibited(paths.running, order.path);
  await activation.announce(
    { type: "ready", order: order.id, reboot: [...reboot], bootRoom: room?.free },
    { baseline, inhibited: inhibited?.slice(0, 1000) },
  );
}

/** @returns why it still is busy after a while */
async function waitWhileBusy(
  { system, clock }: Activation,
  signal: AbortSignal,
): Promise<string | undefined> {
  const until = clock.monotonic() + patienceMs;
  for (;;) {
    const why = await system.whyBusy(signal);
    if (why === undefined || clock.monotonic() >= until) return why;
    await clock.sleep(lookMs, signal);
  }
}

/** A reboot takes what is permanent, so that must be what the signer saw. */
function rebootRefusal(activation: Activation, paths: SystemPaths): PreflightRefusal | undefined {
  const { order } = activation.deployment();
  return paths.permanent?.path === order.path
    ? undefined
    : {
        code: "CHANGED_MEANWHILE",
        detail: `the order expects ${order.path} as the permanent system, and it is ${paths.permanent?.path ?? "another"}`,
      };
}

async function refusalOf(
  activation: Activation,
  paths: SystemPaths,
  signal: AbortSignal,
): Promise<PreflightRefusal | undefined> {
  const { system, policy } = activation;
  const { order } = activation.deployment();
  const { path } = order;
  const text = async (from: StorePath | undefined, name: string): Promise<string | undefined> => {
    if (from === undefined) return undefined;
    const bytes = await system.readFile(from, name, maxSmallFileBytes);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes).trim();
  };
  const next = await policyOf(system, path);
  const units = await system.unitsOf(path, signal);
  const hasSwitchProgram = await system.hasProgram(path, "bin/switch-to-configuration");
  return decidePreflight({
    order,
    policy,
    running: paths.running,
    nixosVersion: await text(paths.running, "nixos-version"),
    next: {
      policy: next,
      hasSwitchProgram,
      system: await text(path, "system"),
      nixosVersion: await text(path, "nixos-version"),
      hasListenerUnit: next !== undefined && units.has(next.listenerUnit),
    },
    bootRoom: await system.bootRoom(path, signal),
    refusedByCheck: hasSwitchProgram ? await refusedByCheck(activation, signal) : undefined,
    now: activation.clock.now(),
  });
}

/** Older programs have no `check`, and answer with their usage and the exit code of a refusal. */
async function refusedByCheck(activation: Activation, signal: AbortSignal): Promise<string | undefined> {
  const { path } = activation.deployment().order;
  const limit = await timeoutMs(activation, "activate");
  const { exitCode, output } = await activation.system.switchTo(path, "check", limit, signal);
  if (exitCode === 0 || exitCode === 11 || output.trimStart().startsWith("Usage:")) return undefined;
  return output.trim().split("\n").at(-1)?.slice(0, 300) || `exit ${exitCode ?? "by a signal"}`;
}

async function recordBaseline(
  { system, mailbox }: Activation,
  paths: SystemPaths,
  running: StorePath,
  unitsBefore: readonly UnitState[],
  signal: AbortSignal,
): Promise<Baseline> {
  const units = await system.readUnits(signal);
  const network = await mailbox.readNetwork();
  return {
    running,
    permanent: paths.permanent ?? null,
    booted: linkOf(paths.booted),
    bootDefault: linkOf(paths.bootDefault),
    bootId: paths.bootId,
    failedUnits: [...flappingUnits(unitsBefore, units)],
    activeUnits: [...activeUnits(units)],
    network: network === undefined ? undefined : { nats: network.oldNats, witnesses: [...network.witnesses] },
  };
}
