// What every step of a deployment works with.
import type { Clock } from "../base/clock.ts";
import { isStorePath, type StorePath } from "../protocol/names.ts";
import type { DeployCode, DeployOutcome } from "../protocol/deploy/deploy-codes.ts";
import type { HostPolicy } from "../protocol/deploy/host-policy.ts";
import { decodeHostPolicy, hostPolicyFile, maxHostPolicyBytes } from "../protocol/deploy/host-policy.ts";
import type { Timeouts } from "../protocol/deploy/order.ts";
import type { ClosureFetcher } from "../host/closure-fetcher.ts";
import type { Probe } from "../host/probe.ts";
import type { System, SystemPaths } from "../host/system.ts";
import type { Deployment } from "./host-memory.ts";
import type { EventBody, JournalEntry } from "./journal.ts";
import type { Mailbox } from "./mailbox.ts";

export interface DeployPorts {
  readonly system: System;
  readonly fetcher: ClosureFetcher;
  readonly mailbox: Mailbox;
  readonly probe: Probe;
  readonly clock: Clock;
  /** The policy of the system that runs when the process starts. */
  readonly policy: HostPolicy;
}

/** One deployment on its way. */
export interface Activation extends DeployPorts {
  /** The current head of the journal. */
  readonly deployment: () => Deployment;
  /** Writes it down; what follows it may only be done afterwards. */
  readonly announce: (event: EventBody, kept?: Omit<JournalEntry, "event">) => Promise<void>;
}

export interface Ending {
  readonly code?: DeployCode;
  readonly detail?: string;
  readonly exit?: number;
}

export async function finish(
  activation: Activation,
  outcome: DeployOutcome,
  { code, detail, exit }: Ending = {},
): Promise<void> {
  const { order, receivedAt } = activation.deployment();
  const ms = Math.max(0, activation.clock.now().getTime() - Date.parse(receivedAt));
  await activation.announce({
    type: "finished",
    order: order.id,
    outcome,
    code,
    detail: detail?.slice(0, 2000),
    exit,
    ms,
  });
}

/** From here on the recorded system is activated again. */
export async function goBack(activation: Activation, code: DeployCode, why: string): Promise<void> {
  await activation.announce({
    type: "rolling-back",
    order: activation.deployment().order.id,
    code,
    why: why.slice(0, 2000),
  });
}

/** Ends an order that has changed nothing. A staged system that it took over is rolled back first: no other order checks it. */
export async function giveUp(
  activation: Activation,
  outcome: "failed" | "rejected" | "expired",
  ending: Ending & { readonly code: DeployCode },
): Promise<void> {
  const { isStaged, baseline } = activation.deployment();
  if (!isStaged || baseline === undefined) return finish(activation, outcome, ending);
  await goBack(activation, ending.code, ending.detail ?? ending.code);
}

/** The policy that a system brings with it; undefined where it has none that can be read. */
export async function policyOf(system: System, path: StorePath): Promise<HostPolicy | undefined> {
  const bytes = await system.readFile(path, hostPolicyFile, maxHostPolicyBytes).catch(() => undefined);
  if (bytes === undefined) return undefined;
  try {
    return decodeHostPolicy(bytes);
  } catch {
    return undefined;
  }
}

/** The settings of the order, otherwise those of the new system, otherwise those of this one. */
export async function timeoutMs(activation: Activation, name: keyof Timeouts): Promise<number> {
  const { order } = activation.deployment();
  const own = order.timeouts?.[name];
  if (own !== undefined) return own * 1000;
  const next = await policyOf(activation.system, order.path);
  return (next ?? activation.policy).timeouts[name] * 1000;
}

/** Undefined links as null, as they are written down. */
export const linkOf = (path: StorePath | undefined): StorePath | null =>
  path !== undefined && isStorePath(path) ? path : null;

export const isAlreadyThere = (paths: SystemPaths, target: StorePath): boolean =>
  paths.running === target &&
  paths.permanent?.path === target &&
  (paths.bootDefault === undefined || paths.bootDefault === target);
