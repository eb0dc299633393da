// Whether a closure that lies in the store may be activated on this machine, before anything is touched.
import type { DeployCode } from "../protocol/deploy/deploy-codes.ts";
import type { HostPolicy } from "../protocol/deploy/host-policy.ts";
import type { Order } from "../protocol/deploy/order.ts";
import type { StorePath } from "../protocol/names.ts";
import { floorAbove } from "./clock-floor.ts";

export interface PreflightQuestion {
  readonly order: Order;
  readonly policy: HostPolicy;
  readonly running: StorePath | undefined;
  readonly next: {
    readonly policy: HostPolicy | undefined;
    readonly hasSwitchProgram: boolean;
    /** The content of its file `system`. */
    readonly system: string | undefined;
    readonly nixosVersion: string | undefined;
    readonly hasListenerUnit: boolean;
  };
  /** The NixOS version of the system that runs. */
  readonly nixosVersion: string | undefined;
  /** The room of `/boot`, in bytes; undefined where it cannot be measured. */
  readonly bootRoom: { readonly free: number; readonly needed: number } | undefined;
  /** What the system's own check says against it. */
  readonly refusedByCheck: string | undefined;
  readonly now: Date;
}

export interface PreflightRefusal {
  readonly code: DeployCode;
  readonly detail: string;
}

const mebibyte = 1024 ** 2;
/** What a boot loader writes beside kernels and initrds. */
const bootSpareBytes = 16 * mebibyte;

export function decidePreflight(question: PreflightQuestion): PreflightRefusal | undefined {
  const { order, policy, running, next, bootRoom, refusedByCheck } = question;
  if ("running" in order.expects && order.expects.running !== running) {
    return {
      code: "CHANGED_MEANWHILE",
      detail: `the order expects ${order.expects.running}, and this host runs ${running ?? "something else"} now`,
    };
  }
  if (!next.hasSwitchProgram || next.nixosVersion === undefined) {
    return { code: "WRONG_SYSTEM", detail: `${order.path} is not a NixOS system` };
  }
  if (next.system !== undefined && next.system !== policy.system) {
    return { code: "WRONG_SYSTEM", detail: `it is for ${next.system}, and this host is ${policy.system}` };
  }
  const refusal = aboutListener(question) ?? aboutAge(question) ?? aboutClock(question);
  if (refusal !== undefined) return refusal;
  if (refusedByCheck !== undefined) {
    return { code: "ACTIVATION_FAILED", detail: `the new system's own check refuses it: ${refusedByCheck}` };
  }
  if (bootRoom !== undefined && bootRoom.needed + bootSpareBytes > bootRoom.free) {
    return {
      code: "NO_BOOT_SPACE",
      detail: `/boot has ${mebibytes(bootRoom.free)} free, and it needs ${mebibytes(bootRoom.needed + bootSpareBytes)}`,
    };
  }
  return undefined;
}

/** A host that cannot be told anything any more is lost, however well it works. */
function aboutListener({ order, policy, next }: PreflightQuestion): PreflightRefusal | undefined {
  if (order.allow?.removesListener === true) return undefined;
  if (next.policy === undefined) {
    return { code: "REMOVES_LISTENER", detail: "the new system has no listener that could be reached" };
  }
  if (next.policy.repo !== policy.repo || next.policy.host !== policy.host) {
    return {
      code: "WRONG_HOST",
      detail: `the new system is that of ${next.policy.repo}/${next.policy.host}`,
    };
  }
  return next.hasListenerUnit
    ? undefined
    : { code: "REMOVES_LISTENER", detail: `the new system has no unit ${next.policy.listenerUnit}` };
}

function aboutAge({ order, next, nixosVersion }: PreflightQuestion): PreflightRefusal | undefined {
  if (order.kind === "rollback" || order.allow?.downgrade === true) return undefined;
  const [from, to] = [dateOf(nixosVersion), dateOf(next.nixosVersion)];
  if (from === undefined || to === undefined || to >= from) return undefined;
  return { code: "DOWNGRADE", detail: `its nixpkgs is of ${to}, and that of what runs of ${from}` };
}

/** With a clock that is before what it was built from, the new system would obey nobody. */
function aboutClock({ next, now }: PreflightQuestion): PreflightRefusal | undefined {
  const floor = floorAbove(now, { builtAfter: next.policy?.builtAfter });
  if (floor === undefined) return undefined;
  const detail = `the new system was built after ${floor}, and this host's clock says ${now.toISOString()}`;
  return { code: "CLOCK_WRONG", detail };
}

/** The date in a version such as `26.05.20261101.abcdef0`. */
const dateOf = (version: string | undefined): string | undefined =>
  /^\d+\.\d+\.(?<date>\d{8})\./.exec(version ?? "")?.groups?.["date"];

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / mebibyte)} MiB`;
