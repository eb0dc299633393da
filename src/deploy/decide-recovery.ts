// How a deployment is resumed after a crash, a kill or a boot, when the last thing that was done is not known for certain.
import type { DeployCode } from "../protocol/deploy/deploy-codes.ts";
import type { StorePath } from "../protocol/names.ts";
import type { Deployment } from "./host-memory.ts";

export interface RecoveryQuestion {
  readonly deployment: Deployment;
  readonly bootId: string;
  readonly running: StorePath | undefined;
  readonly booted: StorePath | undefined;
  readonly now: Date;
}

export type RecoveryDecision =
  /** As `decideStep` says. */
  | { readonly type: "resume" }
  /** What was recorded before may not hold any more. */
  | { readonly type: "look-again" }
  /** Its boot has come. */
  | { readonly type: "booted"; readonly path: StorePath }
  | { readonly type: "check-again" }
  | { readonly type: "reboot-again" }
  | { readonly type: "roll-back"; readonly code: DeployCode; readonly why: string }
  /** Nothing was changed. */
  | { readonly type: "expire" };

/** As for an order that comes late. */
const lateMs = 120_000;

export function decideRecovery({
  deployment,
  bootId,
  running,
  booted,
  now,
}: RecoveryQuestion): RecoveryDecision {
  const { phase, order } = deployment;
  const isSameBoot = bootId === deployment.bootId;
  switch (phase) {
    case "received":
    case "fetching":
    case "fetched":
    case "ready":
      // All that was ordered is done, and it only has to be said.
      if (order.kind === "withdraw" || (order.kind === "fetch" && phase === "fetched")) {
        return { type: "resume" };
      }
      if (now.getTime() > Date.parse(order.notAfter) + lateMs) return { type: "expire" };
      return phase === "ready" ? { type: "look-again" } : { type: "resume" };
    case "activating":
      return interrupted(isSameBoot, "it was being activated");
    case "activated":
    case "checking":
    case "booted":
    case "checked":
      return isSameBoot && running === order.path
        ? { type: "check-again" }
        : interrupted(isSameBoot, "it was not proven yet");
    case "confirmed":
      return isSameBoot ? { type: "resume" } : interrupted(false, "it was not permanent yet");
    case "persisting":
      // Done again it ends the same, and the system is proven; after a boot only if it is the one that was booted.
      if (isSameBoot) return { type: "resume" };
      return booted === order.path
        ? { type: "booted", path: order.path }
        : interrupted(false, "it was not permanent yet");
    case "staged":
    case "rebooting":
      if (isSameBoot) return phase === "rebooting" ? { type: "reboot-again" } : { type: "resume" };
      return booted === order.path
        ? { type: "booted", path: order.path }
        : {
            type: "roll-back",
            code: "REVERTED_BY_BOOT",
            why: `the machine has booted ${booted ?? "another system"}`,
          };
    case "rolling-back":
      return { type: "resume" };
  }
}

const interrupted = (isSameBoot: boolean, what: string): RecoveryDecision => ({
  type: "roll-back",
  code: "INTERRUPTED",
  why: `${what} when ${isSameBoot ? "the activation was ended" : "the machine went down"}`,
});
