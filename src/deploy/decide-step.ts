// What a deployment does next. Try, prove, then make permanent: profile and boot loader stay as they are until the new system
// has shown that it works and can receive its next order, so a power cut before that boots the old one.
import type { Deployment } from "./host-memory.ts";

export type Step =
  | "fetch"
  | "preflight"
  | "activate"
  | "check"
  | "confirm"
  | "persist"
  | "reboot"
  | "roll-back"
  /** A boot comes first, whoever orders it. */
  | "wait"
  | "complete"
  /** The closure is there, and that is all that was ordered. */
  | "end-fetch";

/** Only to be booted, because the order or the system itself says so. */
export const isForNextBoot = ({ order, inhibited }: Deployment): boolean =>
  order.action === "boot" || inhibited !== undefined;

export function decideStep(deployment: Deployment): Step {
  const { phase, order, isStaged } = deployment;
  // It has no steps of its own. Were it cut short and carried on like others, its path would be activated.
  if (order.kind === "withdraw") return "complete";
  // Whatever its journal says: it ends before the first step that changes anything.
  if (order.kind === "fetch") return phase === "received" || phase === "fetching" ? "fetch" : "end-fetch";
  switch (phase) {
    case "received":
    case "fetching":
      return order.kind === "reboot" ? "preflight" : "fetch";
    case "fetched":
      return "preflight";
    case "ready":
      if (order.kind === "reboot") return "reboot";
      return isForNextBoot(deployment) ? "persist" : "activate";
    case "activating":
      // The process that ran it is gone. How far it got is unknown, and the system is unproven.
      return "roll-back";
    case "activated":
    case "checking":
    case "booted":
      return "check";
    case "checked":
      return "confirm";
    case "confirmed":
      // After booting the system that was permanent before.
      return isStaged || order.kind === "reboot" ? "complete" : "persist";
    case "persisting":
      return "persist";
    case "staged":
      return order.reboot === "now" ? "reboot" : "wait";
    case "rebooting":
      return "wait";
    case "rolling-back":
      return "roll-back";
  }
}
