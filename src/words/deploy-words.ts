// What hosts do with orders, for people. Plain text; what comes from hosts is foreign, and cleaned by whoever shows it.
import type { DeployEvent } from "../protocol/deploy/deploy-events.ts";
import type { DeploymentEnd } from "../protocol/deploy/deployment.ts";
import { formatBytes, formatDuration } from "./duration.ts";

/** An event in a line; undefined for one that only repeats another. */
export function deployEventText(event: DeployEvent): string | undefined {
  switch (event.type) {
    case "received":
      return `took ${event.kind === "fetch" ? "an order to fetch for later" : "the order"} of ${event.by}${event.reason === undefined ? "" : `: ${event.reason}`}`;
    case "rejected":
      return `refused: ${event.detail} (${event.code})`;
    case "fetching":
      return event.paths === 0
        ? "everything is there already"
        : `fetching ${formatBytes(event.bytes)} (${count(event.paths, "path")})`;
    case "fetched":
      return event.paths === 0 ? undefined : `fetched in ${formatDuration(event.ms)}`;
    case "ready":
      return event.reboot.length === 0 ? undefined : `needs a reboot for ${event.reboot.join(", ")}`;
    case "activating":
      return event.epoch > 1 ? "activating again" : "activating";
    case "activated":
      return undefined;
    case "checking":
      return "checking the new system";
    case "checked":
      return checkedText(event);
    case "confirmed":
      return "reached over the network by its new system";
    case "persisting":
      return "making it permanent";
    case "staged":
      return `waits for a reboot: ${event.why}`;
    case "rebooting":
      return "rebooting";
    case "booted":
      return "booted";
    case "rolling-back":
      return `rolling back: ${event.why} (${event.code})`;
    case "warning":
      return `warning: ${event.text}`;
    case "finished":
      return undefined;
  }
}

function checkedText({ checks, units }: Extract<DeployEvent, { type: "checked" }>): string {
  const failed = checks.filter(({ ok }) => !ok).map(({ name }) => name);
  const wrong = [
    ...(failed.length === 0 ? [] : [`${failed.join(", ")} did not pass`]),
    ...(units.new.length === 0 ? [] : [`${units.new.join(", ")} failed`]),
    ...(units.lost.length === 0 ? [] : [`${units.lost.join(", ")} no longer runs`]),
  ];
  if (wrong.length > 0) return wrong.join("; ");
  return checks.length === 0 ? "no unit failed" : `${count(checks.length, "check")} passed`;
}

const outcomes: Readonly<Record<DeploymentEnd["outcome"], string>> = {
  completed: "completed",
  unchanged: "unchanged",
  fetched: "fetched, for a later order",
  rejected: "refused",
  expired: "expired",
  superseded: "superseded",
  failed: "failed, nothing was changed",
  "rolled-back": "rolled back",
  "rollback-failed": "ROLLBACK FAILED",
};

/** `rolled back: gitea.service failed (UNHEALTHY)` */
export function deployEndText({ outcome, code, detail }: DeploymentEnd): string {
  const why = detail === undefined ? "" : `: ${detail}`;
  return `${outcomes[outcome]}${why}${code === undefined ? "" : ` (${code})`}`;
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;
