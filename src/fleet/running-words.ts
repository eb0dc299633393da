// What runs on a host, in words: the same on the command line and in the dashboard. Names in them come from hosts, and
// whoever shows them cleans them.
import type { HostCondition, RunningHost } from "./running-hosts.ts";

/** How serious something is; whoever shows it chooses the colour. */
export type ConditionTone = "good" | "busy" | "warn" | "bad" | "idle";

export interface ConditionWords {
  readonly tone: ConditionTone;
  readonly text: string;
}

/** `9c41e7f (booted another)` where a boot is waited for, or what a system that no order brought calls itself. */
export function runsText({ state, commit }: Pick<RunningHost, "state" | "commit">): string {
  if (state === undefined) return "";
  const isHandMade = state.drift.some((kind) => kind === "hand-made" || kind === "auto-upgrade");
  const { path, nixosVersion } = state.running;
  const name = commit?.slice(0, 7) ?? nixosVersion ?? path?.replace(/^.*\/[0-9a-z]{32}-/, "") ?? "unknown";
  const runs = isHandMade ? `hand-made (${nixosVersion ?? name})` : name;
  const waits = (state.reboot?.needed.length ?? 0) > 0 && state.booted.path !== path;
  return waits ? `${runs} (booted another)` : runs;
}

export function conditionWords(condition: HostCondition): ConditionWords {
  switch (condition.type) {
    case "ok":
      return { tone: "good", text: "ok" };
    case "never-spoke":
      return { tone: "idle", text: "never reported" };
    case "absent":
      return { tone: "warn", text: "absent" };
    case "rollback-failed":
      return { tone: "bad", text: "ROLLBACK FAILED" };
    case "clock-wrong":
      return { tone: "bad", text: "its clock is wrong" };
    case "reporting":
      return { tone: "idle", text: "only reports (migration)" };
    case "busy":
      return { tone: "busy", text: condition.phase };
    case "last-failed":
      return { tone: "bad", text: lastWords[condition.outcome] ?? condition.outcome };
    case "drift":
      return { tone: "warn", text: `drift: ${condition.what.join(", ")}` };
    case "reboot-needed":
      return { tone: "warn", text: `reboot needed: ${condition.what.join(", ")}` };
    case "failed-units":
      return { tone: "warn", text: `failed: ${condition.what.join(", ")}` };
    case "held":
      return { tone: "warn", text: `held: ${condition.reason}` };
  }
}

const lastWords: Readonly<Record<string, string>> = {
  "rolled-back": "rolled back",
  rejected: "refused the last order",
  failed: "the last deploy failed",
};

/** `gnx3h7kq…-nixos-system-web01`: enough of a store path to tell it from others. */
export const shortPath = (path: string | null | undefined): string | undefined =>
  path?.replace(/^.*\/([0-9a-z]{8})[0-9a-z]{24}-/, "$1…-");
