// What a rollout, its hosts and the commands must agree on once everything is calm again. Pure.
import type { DeployEvent } from "../../../src/protocol/deploy/deploy-events.ts";
import { deployOutcomes } from "../../../src/protocol/deploy/deploy-codes.ts";
import { deploymentOf, foldDeployEvents } from "../../../src/protocol/deploy/deployment.ts";
import type { HostName } from "../../../src/protocol/names.ts";
import { isOpen } from "../../../src/protocol/rollout/windows.ts";
import type { RolloutEvent } from "../../../src/protocol/rollout/rollout-events.ts";
import { applyRolloutEvent, foldRollout, type Rollout } from "../../../src/protocol/rollout/rollout.ts";
import { orderFaults } from "../../support/order-faults.ts";
import { judgeRoles } from "./judge-roles.ts";
import { knownAfterMs } from "./known-after.ts";
import type { Hold } from "./person.ts";

export interface RolloutFacts {
  readonly events: readonly RolloutEvent[];
  /** What `rollouts show --json` says, and exits with. */
  readonly shown: {
    readonly status: string;
    readonly exitCode?: number;
    readonly hosts: readonly { host: string; status: string }[];
  };
  readonly exitCode: unknown;
}

export interface RoundFacts {
  readonly rollouts: readonly RolloutFacts[];
  /** What each host ran at the beginning. */
  readonly before: Readonly<Record<string, string | undefined>>;
  /** Of this round, from inside of each host. */
  readonly journals: Readonly<Record<string, readonly DeployEvent[]>>;
  readonly roles: Readonly<Record<string, string | undefined>>;
  readonly holds: readonly Hold[];
}

/** How long after an order's signature an event of it may have been told, for clocks of one machine. */
const slackMs = 50;

/** What it must run by then: the last system that it was ordered to run, and made its own. */
export function expectedPath(
  before: string | undefined,
  events: readonly DeployEvent[],
  until = Number.POSITIVE_INFINITY,
): string | undefined {
  const done = foldDeployEvents(events)
    .deployments.filter(
      ({ end, received }) =>
        end?.outcome === "completed" &&
        (received?.kind === "activate" || received?.kind === "rollback") &&
        Date.parse(end.at) <= until,
    )
    .toSorted((a, b) => Date.parse(a.end?.at ?? "") - Date.parse(b.end?.at ?? ""));
  return done.at(-1)?.received?.path ?? before;
}

export function judgeRound(facts: RoundFacts): readonly string[] {
  return [
    ...facts.rollouts.flatMap((each) => judgeRollout(each, facts)),
    ...judgeOrigins(facts),
    ...judgeRoles(facts.journals, facts.roles),
  ];
}

function judgeRollout({ events, shown, exitCode }: RolloutFacts, facts: RoundFacts): readonly string[] {
  const rollout = foldRollout(events);
  if (rollout === undefined) return ["a rollout has no beginning"];
  const faults = [
    ...judgeLog(events, facts.holds),
    ...judgeResults(events, facts),
    ...judgeSignatures(events, rollout, facts),
  ];
  const { end } = rollout;
  if (end === undefined) return faults.map((what) => `${rollout.id}: ${what}`);
  if (shown.status !== end.outcome) faults.push(`it is shown as ${shown.status}, and is ${end.outcome}`);
  if (shown.exitCode !== exitCode) {
    faults.push(`it says the exit code ${shown.exitCode}, and exits with ${String(exitCode)}`);
  }
  const statuses = new Map<string, string>(
    [...rollout.hosts.values()].map(({ host, status }) => [host, status]),
  );
  for (const { host, status } of shown.hosts) {
    const is = statuses.get(host);
    if (is !== status) faults.push(`${host} is shown as ${status}, and is ${is}`);
  }
  const wanted = [...rollout.hosts.values()];
  const truly = wanted.filter(
    ({ host, path }) =>
      path !== undefined &&
      expectedPath(facts.before[host], facts.journals[host] ?? [], Date.parse(end.at)) === path,
  );
  if (exitCode === 0 && truly.length < wanted.length) {
    const others = wanted.filter((host) => !truly.includes(host)).map(({ host }) => host);
    faults.push(`it exits with 0, and does not run on ${others.join(", ")}`);
  }
  if (end.outcome === "completed" && truly.length === wanted.length && exitCode !== 0) {
    faults.push(`all run it, and it exits with ${String(exitCode)}`);
  }
  for (const { host, status, path } of wanted) {
    const runs = expectedPath(facts.before[host], facts.journals[host] ?? [], Date.parse(end.at));
    if ((status === "done" || status === "unchanged") && runs !== path && !isLeft(host, rollout, facts)) {
      faults.push(`${host} is ${status}, and does not run it (${runs})`);
    }
  }
  return faults.map((what) => `${rollout.id}: ${what}`);
}

/** Somebody else ordered something for it after this rollout was done there. */
function isLeft(host: HostName, rollout: Rollout, { journals }: RoundFacts): boolean {
  const done = rollout.hosts.get(host)?.result?.at ?? rollout.startedAt ?? "";
  return foldDeployEvents(journals[host] ?? []).deployments.some(
    ({ end, received }) =>
      end?.outcome === "completed" &&
      received?.rollout?.id !== rollout.id &&
      Date.parse(end.at) >= Date.parse(done) - 60_000,
  );
}

/** By the order of the log, which is that in which things were told. */
function judgeLog(events: readonly RolloutEvent[], holds: readonly Hold[]): readonly string[] {
  const faults: string[] = [];
  const ends = events.filter(({ type }) => type === "finished");
  if (ends.length > 1) faults.push(`it ends ${ends.length} times`);
  let rollout: Rollout | undefined;
  for (const event of events) {
    if (event.type === "ordered" && rollout !== undefined) {
      const at = Date.parse(event.at);
      const whyNot = (host: string) => ({ held: isHeld(holds, host, at), runsByHand: false });
      const open = isOpen(rollout.policy.windows, new Date(at));
      const told = orderFaults(rollout, event.orders, { whyNot, isOpen: open });
      faults.push(...told.map((what) => `${event.at}: ${what}`));
    }
    rollout = applyRolloutEvent(rollout, event);
  }
  return faults;
}

const isHeld = (holds: readonly Hold[], host: string, at: number): boolean =>
  holds.some(
    (hold) =>
      hold.host === host &&
      at > hold.from + knownAfterMs &&
      at < (hold.until ?? Number.POSITIVE_INFINITY) - slackMs,
  );

/** What the log says of a host's order is what the host did with it. */
function judgeResults(events: readonly RolloutEvent[], { journals }: RoundFacts): readonly string[] {
  const faults: string[] = [];
  for (const event of events) {
    if (event.type !== "ended") continue;
    for (const { host, order, outcome } of event.results) {
      const deployment = deploymentOf(foldDeployEvents(journals[host] ?? []), order);
      const truth = deployment?.end?.outcome;
      const isOfHost = deployOutcomes.some((each) => each === outcome);
      const hasBegun = deployment?.phases.some(({ phase }) => phase === "activating") ?? false;
      if (outcome === "lost" || outcome === "staged") continue;
      if (isOfHost && outcome !== "superseded" && truth !== outcome) {
        faults.push(`${host}: the log says ${outcome} of ${order}, and the host ${truth ?? "nothing"}`);
      }
      if ((!isOfHost || outcome === "superseded") && hasBegun) {
        faults.push(`${host}: the log says ${outcome} of ${order}, and the host has begun it (${truth})`);
      }
    }
  }
  return faults;
}

/** The serial of an order is the moment of its signature. */
function judgeSignatures(
  events: readonly RolloutEvent[],
  { id }: Rollout,
  { journals, holds }: RoundFacts,
): readonly string[] {
  const faults: string[] = [];
  for (const [host, journal] of Object.entries(journals)) {
    for (const { received, order } of foldDeployEvents(journal).deployments) {
      if (received?.rollout?.id !== id || received.kind === "withdraw") continue;
      const at = received.serial;
      let stopped: { readonly what: string; readonly at: number } | undefined;
      for (const event of events) {
        if (Date.parse(event.at) > at) break;
        const isStop = event.type === "paused" || event.type === "aborted" || event.type === "finished";
        if (isStop) stopped = { what: event.type, at: Date.parse(event.at) };
        if (event.type === "resumed" && stopped?.what === "paused") stopped = undefined;
      }
      if (stopped !== undefined && at > stopped.at + knownAfterMs) {
        faults.push(`${host}: ${order} was signed ${at - stopped.at} ms after it was ${stopped.what}`);
      }
      if (received.kind !== "rollback" && isHeld(holds, host, at)) {
        faults.push(`${host}: ${order} was signed while the host was held`);
      }
    }
  }
  return faults;
}

/** Nothing is received that nobody has told. */
function judgeOrigins({ rollouts, journals }: RoundFacts): readonly string[] {
  const told = new Set(
    rollouts.flatMap(({ events }) =>
      events.flatMap((event) =>
        event.type === "ordered"
          ? event.orders.map(({ order }) => order as string)
          : event.type === "withdrawn"
            ? event.orders.map(({ withdrawal }) => withdrawal as string)
            : [],
      ),
    ),
  );
  return Object.entries(journals).flatMap(([host, journal]) =>
    foldDeployEvents(journal).deployments.flatMap(({ received, order }) =>
      received?.rollout !== undefined && !told.has(order ?? "")
        ? [`${host}: no rollout has told its order ${order}`]
        : [],
    ),
  );
}
