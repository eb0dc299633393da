// Composes the state that a host reports, from what it finds and its journal. Pure.
import type { SystemPaths, UnitState } from "../../host/system.ts";
import type { RebootPart } from "../../protocol/deploy/deploy-events.ts";
import type { HostPolicy } from "../../protocol/deploy/host-policy.ts";
import type { DriftKind, HostState } from "../../protocol/deploy/host-state.ts";
import { orderKinds } from "../../protocol/deploy/order.ts";
import { floorAbove } from "../clock-floor.ts";
import { isHandMade, rollbackFailedHold, type HostMemory } from "../host-memory.ts";

export interface HostFacts {
  readonly policy: HostPolicy;
  readonly memory: HostMemory | undefined;
  readonly paths: SystemPaths;
  readonly units: readonly UnitState[];
  /** Parts in which the booted and the permanent system differ. */
  readonly rebootNeeded: readonly RebootPart[];
  /** What `nixos-version` of the running system says. */
  readonly nixosVersion: string | undefined;
  readonly storeFree: number | undefined;
  readonly bootFree: number | undefined;
  /** The version of homelab-deploy. */
  readonly version: string;
  readonly now: Date;
  readonly seq: number;
}

const mostUnits = 50;

export function composeHostState(facts: HostFacts): HostState {
  const { policy, memory, paths, units, now } = facts;
  const { repo, host, system, tier, role, labels, wave, serves, hold, migration, builtAfter } = policy;
  const { running, permanent } = paths;
  const known = memory?.completed.find(({ path }) => path === running);
  const { last } = memory ?? {};
  const current = changingDeployment(memory);
  const failed = units.filter(({ active }) => active === "failed").map(({ name }) => name.slice(0, 300));
  return {
    repo,
    host,
    at: now.toISOString(),
    seq: facts.seq,
    bootId: paths.bootId,
    version: facts.version,
    system,
    tier,
    role,
    labels,
    wave,
    serves: serves.slice(0, 20),
    running: {
      path: running ?? null,
      commit: known?.commit,
      since: known?.at,
      nixosVersion: facts.nixosVersion?.trim().slice(0, 200),
    },
    booted: { path: paths.booted ?? null },
    permanent: { path: permanent?.path ?? null, generation: permanent?.generation },
    bootDefault: { path: paths.bootDefault ?? null },
    previous: memory?.previous === undefined ? undefined : { path: memory.previous },
    order: current && { id: current.order.id, serial: current.order.serial, phase: current.phase },
    last: last && {
      order: last.order,
      outcome: last.outcome,
      code: last.code,
      detail: last.detail?.slice(0, 500),
      at: last.at,
    },
    serial: memory?.serial,
    orderKinds: [...orderKinds],
    reboot: { needed: [...facts.rebootNeeded] },
    drift: [...driftOf(facts)],
    failedUnits: failed.slice(0, mostUnits),
    hold: hold ?? (memory?.isStuck === true ? rollbackFailedHold : undefined),
    migration,
    store: facts.storeFree === undefined ? undefined : { freeBytes: facts.storeFree },
    boot: facts.bootFree === undefined ? undefined : { freeBytes: facts.bootFree },
    clock: { ok: floorAbove(now, { clockFloor: memory?.clockFloor, builtAfter }) === undefined },
  };
}

/** A host that only fetches for later is as it was: it can be ordered something else, and readers need not wait for it. */
const changingDeployment = (memory: HostMemory | undefined): HostMemory["current"] =>
  memory?.current?.order.kind === "fetch" ? undefined : memory?.current;

/** Shown, never repaired unasked. */
function driftOf({ memory, paths, units }: HostFacts): readonly DriftKind[] {
  if (memory === undefined) return [];
  const { completed } = memory;
  const current = changingDeployment(memory);
  const own = [current?.order.path, current?.baseline?.running];
  const drift: DriftKind[] = [];
  if (isHandMade(memory, paths.running) && !own.includes(paths.running)) {
    const upgrades = units.some(({ name, active }) => name === "nixos-upgrade.timer" && active === "active");
    drift.push(upgrades ? "auto-upgrade" : "hand-made");
  }
  // A deployment under way changes both of these.
  const permanent = completed.at(-1)?.path;
  if (current !== undefined || permanent === undefined) return drift;
  if (paths.permanent?.path !== permanent) drift.push("profile");
  if (paths.bootDefault !== undefined && paths.bootDefault !== permanent) drift.push("boot-default");
  return drift;
}

/** Whether a change is worth a message before the next minute. Time and a few bytes of disk are not. */
export const whatMatters = ({ at: _at, seq: _seq, store: _store, boot: _boot, ...rest }: HostState): object =>
  rest;
