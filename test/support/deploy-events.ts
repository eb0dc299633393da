// The log of a host's deployments for tests: says only what matters and fills in the rest.
import * as v from "valibot";
import {
  DeployEvent,
  type DeployEventOf,
  type DeployEventType,
} from "../../src/protocol/deploy/deploy-events.ts";
import type { OrderId } from "../../src/protocol/deploy/order.ts";
import { orderId, somePath } from "./deploy-orders.ts";

export const deployLogStart = "2026-11-29T12:01:00.000Z";

const defaults: Readonly<Record<DeployEventType, object>> = {
  received: { kind: "activate", action: "switch", path: somePath("new"), serial: 1, by: "kai" },
  rejected: { code: "HELD", detail: "no deploys before the fair" },
  fetching: { bytes: 1_000_000, paths: 12 },
  fetched: { ms: 2000, paths: 12, bytes: 1_000_000 },
  ready: { reboot: [] },
  activating: { epoch: 1, from: somePath("old") },
  activated: { exit: 0, current: somePath("new") },
  checking: {},
  checked: { checks: [], units: { before: 0, after: 0, new: [], lost: [] } },
  confirmed: { ms: 300 },
  persisting: {},
  staged: { why: "a new kernel" },
  rebooting: {},
  booted: { path: somePath("new") },
  "rolling-back": { why: "gitea.service failed", code: "UNHEALTHY" },
  warning: { text: "the boot loader cannot be read" },
  finished: { outcome: "completed", ms: 20_000 },
};

export interface DeployScript {
  readonly events: readonly DeployEvent[];
  /** A second later. */
  add<Type extends DeployEventType>(type: Type, more?: Partial<DeployEventOf<Type>>): DeployScript;
}

export function scriptDeployments({
  repo = "nixos-servers",
  host = "web01",
  order = orderId(1),
  firstIndex = 0,
  start = deployLogStart,
}: {
  readonly repo?: string;
  readonly host?: string;
  readonly order?: OrderId;
  readonly firstIndex?: number;
  readonly start?: string;
} = {}): DeployScript {
  const events: DeployEvent[] = [];
  const script: DeployScript = {
    events,
    add(type, more = {}) {
      const index = firstIndex + events.length;
      const at = new Date(Date.parse(start) + events.length * 1000).toISOString();
      events.push(
        v.parse(DeployEvent, {
          type,
          repo,
          host,
          index,
          at,
          order,
          ...defaults[type],
          ...more,
        }),
      );
      return script;
    },
  };
  return script;
}

/** Everything that a deployment does that goes well. */
export const goodDeployment = (script: DeployScript): DeployScript =>
  script
    .add("received")
    .add("fetching")
    .add("fetched")
    .add("ready")
    .add("activating")
    .add("activated")
    .add("checking")
    .add("checked")
    .add("confirmed")
    .add("persisting")
    .add("finished");

export const deployEventTypes = Object.keys(defaults) as readonly DeployEventType[];
