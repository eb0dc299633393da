// Rollouts for people: statuses, waits, halts, outcomes, the same on the command line, in the dashboard and in notices. Plain
// text; details come from hosts and people, and whoever shows them cleans them.
import { seenAt, type HostState } from "../protocol/deploy/host-state.ts";
import type { HaltCode, RolloutOutcome, RolloutResult } from "../protocol/rollout/rollout-events.ts";
import { failedHosts, isFetchingAhead, type Rollout, type RolloutHost } from "../protocol/rollout/rollout.ts";
import { formatAgo, formatDuration } from "./duration.ts";
import { hostWaits, rolloutWait, type HostStates, type HostWait, type RolloutWait } from "./rollout-waits.ts";
import { openingText } from "./window-words.ts";

/** How serious something is; whoever shows it chooses the colour. */
export type RolloutTone = "good" | "busy" | "warn" | "bad" | "idle";

export const outcomeWords: Readonly<Record<RolloutOutcome, string>> = {
  completed: "completed",
  "completed-with-absent": "completed, with hosts absent",
  failed: "failed",
  aborted: "aborted",
  superseded: "superseded by a newer rollout",
};

export const haltWords: Readonly<Record<HaltCode, string>> = {
  HOSTS_FAILED: "more hosts failed than allowed",
  GATE_FAILED: "a gate did not pass",
  GATE_NO_DATA: "a gate gave no data",
  GOT_WORSE: "a host has new failed units",
  HOST_SILENT: "a host has not reported since it was deployed",
  NO_CANARY: "every host of the first wave is absent",
};

export const triggerWords: Readonly<Record<Rollout["trigger"], string>> = {
  person: "asked for by a person",
  automatic: "a new build of the branch",
  returned: "hosts that were absent are back",
};

/** `halted: 1 failed of 15`, `soaking canary until 12:20 UTC`, `completed` */
export function rolloutStateWords(
  rollout: Rollout,
  states: HostStates,
  now: Date,
): { readonly tone: RolloutTone; readonly text: string } {
  const { end } = rollout;
  if (end !== undefined) {
    const detail = end.detail === undefined ? "" : `: ${end.detail}`;
    return { tone: outcomeTones[end.outcome], text: `${outcomeWords[end.outcome]}${detail}` };
  }
  const wait = rolloutWait(rollout, states, now);
  if (wait === undefined) return { tone: "busy", text: "running" };
  return { tone: waitTones[wait.type], text: waitText(wait, rollout, now) };
}

const outcomeTones: Readonly<Record<RolloutOutcome, RolloutTone>> = {
  completed: "good",
  "completed-with-absent": "warn",
  failed: "bad",
  aborted: "warn",
  superseded: "idle",
};

const waitTones: Readonly<Record<RolloutWait["type"], RolloutTone>> = {
  turn: "idle",
  plan: "busy",
  paused: "warn",
  manual: "warn",
  halted: "bad",
  aborted: "warn",
  hosts: "busy",
  window: "idle",
  soak: "busy",
  deployer: "busy",
};

/** What the rollout waits for. */
export function waitText(wait: RolloutWait, rollout: Pick<Rollout, "policy" | "hosts">, now: Date): string {
  switch (wait.type) {
    case "turn":
      return "waits for its turn";
    case "plan":
      return "is being planned";
    case "paused":
      return `paused by ${wait.by}${wait.reason === undefined ? "" : `: ${wait.reason}`}`;
    case "manual":
      return `waits for a person before the wave ${wait.wave}`;
    case "halted":
      return `halted: ${wait.detail}`;
    case "aborted":
      return wait.hosts.length === 0
        ? `aborted by ${wait.by}`
        : `aborted by ${wait.by}; ${listed(wait.hosts)} ${wait.hosts.length === 1 ? "finishes" : "finish"} first`;
    case "hosts": {
      const silent = wait.silent.length === 0 ? "" : `; ${listed(wait.silent)} does not answer`;
      return `deploying ${listed(wait.hosts)}${silent}`;
    }
    case "window":
      return openingText(rollout.policy.windows, now);
    case "soak":
      return `${wait.wave} soaks until ${clockTime(wait.until)}`;
    case "deployer":
      return "waits for the deployer";
  }
}

/** Why a host is not deployed yet: `waits for web01 (role web, one at a time)`. */
export function hostWaitText(wait: HostWait, rollout: Pick<Rollout, "policy" | "hosts">, now: Date): string {
  switch (wait.type) {
    case "rollout":
      return shortWait(wait.wait, rollout, now);
    case "wave":
      return wait.after === undefined ? "waits for its wave" : `waits for the wave ${wait.after}`;
    case "role":
      return `waits for ${wait.host} (role ${wait.role}, one at a time)`;
    case "one-by-one":
      return `waits for ${wait.host} (others need them: one at a time)`;
    case "most":
      return `waits (${wait.atOnce} at a time)`;
    case "again":
      return `waits to be ordered again (${wait.code})`;
    case "busy":
      return "waits until it has done what somebody else ordered";
    case "deployer":
      return "waits for the deployer";
  }
}

/** Beside each host; the reasons stand once, in the rollout's own line. */
function shortWait(wait: RolloutWait, rollout: Pick<Rollout, "policy" | "hosts">, now: Date): string {
  switch (wait.type) {
    case "halted":
      return "waits: the rollout is halted";
    case "paused":
    case "manual":
      return "waits: the rollout is paused";
    case "aborted":
      return "not deployed: the rollout is aborted";
    case "turn":
    case "plan":
    case "hosts":
    case "window":
    case "soak":
    case "deployer":
      return waitText(wait, rollout, now);
  }
}

export interface RolloutHostWords {
  readonly tone: RolloutTone;
  readonly text: string;
  /** How long it took, or has been under way. */
  readonly ms?: number;
  /** A word beside it. */
  readonly note?: string;
}

/** Describes each host of a rollout in one line. */
export function rolloutHostWords(
  rollout: Rollout,
  states: HostStates,
  now: Date,
): (host: RolloutHost) => RolloutHostWords {
  const waitOf = hostWaits(rollout, states, now);
  return (host) => hostWords(rollout, host, { waitOf, states, now });
}

interface Known {
  readonly waitOf: (host: RolloutHost) => HostWait | undefined;
  readonly states: HostStates;
  readonly now: Date;
}

function hostWords(rollout: Rollout, host: RolloutHost, { waitOf, states, now }: Known): RolloutHostWords {
  const state = states.get(host.host);
  const { status, detail, result, order } = host;
  switch (status) {
    case "waiting": {
      if (rollout.end !== undefined) return { tone: "idle", text: "not deployed" };
      const wait = waitOf(host);
      const text = wait === undefined ? "waits" : hostWaitText(wait, rollout, now);
      return { tone: "idle", text, note: aheadNote(host) };
    }
    case "ordered":
      return { tone: "busy", text: orderedText(host, state), ms: sinceMs(order?.at, now) };
    case "done":
      return doneWords(rollout, host, state, now);
    case "unchanged":
      return { tone: "good", text: "unchanged", note: rebootNote(rollout, state, now) };
    case "failed":
      return {
        tone: "bad",
        text: result === undefined ? "failed" : resultText(result),
        ms: result?.ms,
        note: stillRuns(host),
      };
    case "absent":
      return { tone: "warn", text: absentText(state, now), note: "ordered when it comes back" };
    case "held":
      return { tone: "warn", text: `held${suffix(detail ?? result?.detail)}` };
    case "refused":
      return { tone: "warn", text: `refused${suffix(detail)}` };
    case "overtaken":
      return { tone: "warn", text: "somebody else ordered something for it" };
    case "undone":
      return { tone: "warn", text: "sent back, because the rollout failed", note: stillRuns(host) };
  }
}

/** If fetching ahead came to nothing, the order that counts fetches again, so nothing is said. */
function aheadNote(host: RolloutHost): string | undefined {
  if (isFetchingAhead(host)) return "fetching ahead";
  return host.ahead?.result?.outcome === "fetched" ? "already fetched" : undefined;
}

function orderedText({ order }: RolloutHost, state: HostState | undefined): string {
  if (order === undefined) return "ordered";
  const phase = state?.order?.id === order.order ? state.order.phase : orderWords[order.kind];
  const attempt = order.attempt > 1 ? `, attempt ${order.attempt}` : "";
  return `${phase}${attempt}${order.withdrawal === undefined ? "" : ", being withdrawn"}`;
}

/** Until the host says how far it is. */
const orderWords = {
  activate: "ordered",
  rollback: "ordered to go back",
  reboot: "ordered to reboot",
} as const;

function doneWords(
  rollout: Rollout,
  { reboot, result }: RolloutHost,
  state: HostState | undefined,
  now: Date,
): RolloutHostWords {
  if (reboot === "failed") return { tone: "bad", text: `its reboot failed${suffix(result?.detail)}` };
  const text = result === undefined || result.outcome === "completed" ? "completed" : resultText(result);
  const note = reboot === "done" ? "rebooted" : rebootNote(rollout, state, now);
  return { tone: "good", text, ms: result?.ms, note };
}

function rebootNote({ policy, end }: Rollout, state: HostState | undefined, now: Date): string | undefined {
  const needed = state?.reboot?.needed ?? [];
  if (needed.length === 0) return undefined;
  const when = policy.reboots === "never" || end !== undefined ? "" : `, ${openingText(policy.windows, now)}`;
  return `reboot needed (${needed.join(", ")})${when}`;
}

const results: Readonly<Record<RolloutResult["outcome"], string>> = {
  completed: "completed",
  unchanged: "unchanged",
  fetched: "fetched",
  rejected: "refused by the host",
  expired: "expired",
  superseded: "superseded",
  failed: "failed, nothing was changed",
  "rolled-back": "rolled back",
  "rollback-failed": "ROLLBACK FAILED",
  "not-taken": "did not take its order",
  lost: "has not reported since its order",
  staged: "active at the next boot",
  withdrawn: "order withdrawn",
};

/** `rolled back: gitea.service failed (UNHEALTHY)` */
export function resultText({
  outcome,
  code,
  detail,
}: Pick<RolloutResult, "outcome" | "code" | "detail">): string {
  return `${results[outcome]}${suffix(detail)}${code === undefined ? "" : ` (${code})`}`;
}

/** Where a failure left it. */
function stillRuns({ result, status, fromCommit }: RolloutHost): string | undefined {
  const isAsBefore = status === "undone" || result?.outcome === "rolled-back" || result?.outcome === "failed";
  return isAsBefore && fromCommit !== undefined ? `runs ${fromCommit.slice(0, 7)} as before` : undefined;
}

const absentText = (state: HostState | undefined, now: Date): string =>
  state === undefined ? "absent" : `absent, last seen ${formatAgo(new Date(seenAt(state)), now)}`;

/** `3 of 15 hosts done, 1 failed` */
export function progressText(rollout: Rollout): string {
  const hosts = [...rollout.hosts.values()];
  if (hosts.length === 0) return count(rollout.wanted.length, "host");
  const done = hosts.filter(({ status }) => status === "done" || status === "unchanged").length;
  const failed = failedHosts(rollout).length;
  return `${done} of ${count(hosts.length, "host")} done${failed === 0 ? "" : `, ${failed} failed`}`;
}

/** `soaked 10m`, `soaks until 12:20 UTC`; undefined for a wave that does not have so far. */
export function soakText({ soak, soakedAt }: Rollout["waves"][number]): string | undefined {
  if (soak === undefined) return undefined;
  if (soakedAt === undefined) return `soaks until ${clockTime(soak.until)}`;
  const ms = Date.parse(soakedAt) - Date.parse(soak.since);
  return ms < 1000 ? undefined : `soaked ${formatDuration(ms)}`;
}

/** `12:20 UTC` */
export const clockTime = (time: string): string => `${new Date(time).toISOString().slice(11, 16)} UTC`;

const sinceMs = (time: string | undefined, now: Date): number | undefined =>
  time === undefined ? undefined : Math.max(0, now.getTime() - Date.parse(time));

const suffix = (detail: string | undefined): string =>
  detail === undefined || detail === "" ? "" : `: ${detail}`;

const mostNamed = 3;

/** `web01, db1 and 4 more` */
export function listed(hosts: readonly string[]): string {
  const named = hosts.slice(0, hosts.length === mostNamed + 1 ? mostNamed + 1 : mostNamed).join(", ");
  const more = hosts.length > mostNamed + 1 ? ` and ${hosts.length - mostNamed} more` : "";
  return `${named}${more}`;
}

export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? "" : "s"}`;
