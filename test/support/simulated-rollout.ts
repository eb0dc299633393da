// A fleet that is rolled out in one process, without NATS and without time passing: hosts that fail, go away, and are deployed by
// hand in the middle, people who pause and abort, gates that lie, and a deployer that dies. What must never happen is said as
// it happens.
import { newOrderId } from "../../src/deploy/ordering/compose-order.ts";
import type { Deployment } from "../../src/protocol/deploy/deployment.ts";
import { absentAfterMs, type HostState } from "../../src/protocol/deploy/host-state.ts";
import type { OrderId } from "../../src/protocol/deploy/order.ts";
import { HostName, type StorePath } from "../../src/protocol/names.ts";
import { Commit, RepoName } from "../../src/protocol/names.ts";
import {
  newRolloutId,
  RolloutEvent,
  type PlannedRolloutHost,
  type PlannedWave,
  type RolloutEventOf,
} from "../../src/protocol/rollout/rollout-events.ts";
import { RolloutPolicy } from "../../src/protocol/rollout/rollout-policy.ts";
import { applyRolloutEvent, isFetchingAhead, type Rollout } from "../../src/protocol/rollout/rollout.ts";
import { isOpen } from "../../src/protocol/rollout/windows.ts";
import { decideRollout } from "../../src/rollout/decide-rollout.ts";
import type { HostView, RolloutStep, RolloutView } from "../../src/rollout/rollout-view.ts";
import * as v from "valibot";
import { somePath } from "./deploy-orders.ts";
import { someHostState } from "./fake-deploy-bus.ts";
import { orderFaults } from "./order-faults.ts";
import type { Choices } from "./random-choices.ts";

export interface SimulatedEnd {
  readonly events: readonly RolloutEvent[];
  readonly rollout: Rollout;
  /** What must never happen, in words; empty when all is well. */
  readonly violations: readonly string[];
  /** How many orders to fetch ahead there were. */
  readonly fetches: number;
}

type Behaviour = "good" | "fails" | "busy-once" | "dies" | "refuses" | "gets-worse" | "staged";

interface SimulatedHost {
  readonly plan: PlannedRolloutHost;
  readonly behaviour: Behaviour;
  running: StorePath;
  readonly before: StorePath;
  isUp: boolean;
  seenAt: number;
  hold?: string;
  needsReboot: boolean;
  failedUnits: string[];
  /** Its release knows orders that only fetch. */
  readonly fetches: boolean;
  /** The newest order that is stored. */
  newest: OrderId | null;
  readonly withdrawals: Set<string>;
  orders: Map<OrderId, { kind: string; path: StorePath; at: number; deployment?: Deployment }>;
  attempts: number;
}

const start = Date.parse("2026-11-29T00:00:00.000Z");
const byHand = somePath("byhand");
const repo = v.parse(RepoName, "servers");
/** Nothing lasts longer: by then everything is mended, and people let go on what waits for them. */
const troubleMs = 6 * 3_600_000;
const mostMs = 14 * 86_400_000;

export function simulateRollout(choices: Choices): SimulatedEnd {
  const { chance, count, pick } = choices;
  let now = start;
  let hearsSince = start - absentAfterMs;
  const windows = chance(0.4) ? [{ start: pick(["00:00", "02:00"]), minutes: count(2, 60) }] : [];
  const policy = v.parse(RolloutPolicy, {
    maxUnavailable: count(1, 4),
    maxFailures: chance(0.3) ? count(0, 2) : 0,
    onFailure: chance(0.3) ? "rollback" : "halt",
    soakSeconds: pick([0, 60, 600]),
    gates: chance(0.3) ? [{ kind: "http", name: "up", url: "http://gate.lan/" }] : [],
    windows,
    reboots: chance(0.5) ? "in-window" : "never",
  });
  const waveCount = count(1, 4);
  const waves: PlannedWave[] = Array.from({ length: waveCount }, (_, index) => ({
    name: `w${index}`,
    manual: index > 0 && chance(0.2),
    oneByOne: index > 0 && index === waveCount - 1 && chance(0.5),
  }));
  const calm = chance(0.2);
  const hosts = new Map<HostName, SimulatedHost>();
  for (let index = 0; index < count(1, 12); index++) {
    const wave = count(0, waveCount - 1);
    const name = v.parse(HostName, `host${index}`);
    const isUp = chance(0.85);
    const plan: PlannedRolloutHost = {
      host: name,
      wave,
      path: somePath(`new${index}`),
      from: somePath(`old${index}`),
      isNeeded: waves[wave]?.oneByOne === true,
      failedUnits: chance(0.2) ? ["old.service"] : [],
      ...(chance(0.5) ? { role: pick(["web", "db", "edge"]) } : {}),
      ...(isUp ? {} : { leftOut: "absent" as const }),
      ...(chance(0.1) ? { leftOut: pick(["unchanged", "held", "refused"] as const) } : {}),
    };
    hosts.set(name, {
      plan,
      behaviour: calm
        ? "good"
        : pick([
            "good",
            "good",
            "good",
            "good",
            "good",
            "fails",
            "busy-once",
            "dies",
            "refuses",
            "gets-worse",
            "staged",
          ]),
      running: plan.leftOut === "unchanged" ? somePath(`new${index}`) : somePath(`old${index}`),
      before: somePath(`old${index}`),
      isUp,
      seenAt: isUp ? now : now - 3_600_000,
      needsReboot: false,
      fetches: chance(0.8),
      failedUnits: [...plan.failedUnits],
      newest: null,
      withdrawals: new Set(),
      orders: new Map(),
      attempts: 0,
      ...(chance(0.05) ? { hold: "not now" } : {}),
    });
  }
  const events: RolloutEvent[] = [];
  const violations: string[] = [];
  const id = newRolloutId(new Date(now));
  let folded: Rollout | undefined;
  const add = (body: object): void => {
    const event = v.parse(RolloutEvent, { rollout: id, repo, at: new Date(now).toISOString(), ...body });
    events.push(event);
    folded = applyRolloutEvent(folded, event);
  };
  add({
    type: "created",
    by: "kai",
    trigger: "person",
    commit: v.parse(Commit, "c".repeat(40)),
    hosts: [...hosts.keys()],
    policy,
  });
  let gates: RolloutView["gates"] = new Map();
  let known = new Set<HostName>();
  let fetches = 0;

  const someState = someHostState({ repo });
  const stateOf = (host: SimulatedHost): HostState => ({
    ...someState,
    host: host.plan.host,
    at: new Date(host.seenAt).toISOString(),
    role: host.plan.role,
    running: { path: host.running },
    permanent: { path: host.running },
    previous: { path: host.before },
    orderKinds: host.fetches ? ["activate", "fetch"] : [],
    failedUnits: host.failedUnits,
    ...(host.needsReboot ? { reboot: { needed: ["kernel"] } } : {}),
  });

  function viewOf(rollout: Rollout): RolloutView {
    const views = new Map<HostName, HostView>();
    for (const [name, host] of hosts) {
      const { order, ahead } = rollout.hosts.get(name) ?? {};
      const newestOrder = known.has(name) ? host.newest : undefined;
      const deployment = (of: OrderId | undefined): Deployment | undefined =>
        of === undefined ? undefined : host.orders.get(of)?.deployment;
      views.set(name, {
        state: stateOf(host),
        deployment: deployment(order?.order),
        newestOrder,
        ahead: { deployment: deployment(ahead?.order), newestOrder },
        hold: host.hold,
      });
    }
    return { rollout, now: new Date(now), hearsSince: new Date(hearsSince), hosts: views, gates };
  }

  /** What must hold of every order at the moment when it is told. */
  function judgeOrders(
    rollout: Rollout,
    { orders }: Omit<RolloutEventOf<"ordered">, "rollout" | "repo" | "at">,
  ): void {
    const faults = orderFaults(rollout, orders, {
      whyNot: (name) => {
        const real = hosts.get(name);
        if (real === undefined) throw new TypeError(`there is no ${name}`);
        return { held: real.hold !== undefined, runsByHand: real.running === byHand };
      },
      isOpen: isOpen(policy.windows, new Date(now)),
    });
    violations.push(...faults.map((what) => `${new Date(now).toISOString()}: ${what}`));
  }

  /** What must hold of an order to fetch ahead at the moment when it is told. */
  function judgeAhead(
    rollout: Rollout,
    { orders }: Omit<RolloutEventOf<"fetch-ordered">, "rollout" | "repo" | "at">,
  ): void {
    const say = (what: string): void => {
      violations.push(`${new Date(now).toISOString()}: ${what}`);
    };
    if (rollout.aborted !== undefined) say("a fetch after the abort");
    if (rollout.paused !== undefined) say("a fetch while it is paused");
    if (rollout.halted !== undefined) say("a fetch while it is halted");
    if (!isOpen(policy.windows, new Date(now))) say("a fetch outside of the windows");
    const soaking = rollout.waves.findIndex((wave) => wave.soak !== undefined && wave.soakedAt === undefined);
    if (soaking < 0) say("a fetch while no wave soaks");
    const underWay = [...rollout.hosts.values()].filter(isFetchingAhead);
    const heard = underWay.filter(({ host }) => now - (hosts.get(host)?.seenAt ?? 0) <= absentAfterMs);
    if (heard.length + orders.length > Math.max(5, policy.maxUnavailable)) say("too many fetch at a time");
    for (const { host, path } of orders) {
      const planned = rollout.hosts.get(host);
      const real = hosts.get(host);
      if (planned === undefined || real === undefined) throw new TypeError(`there is no ${host}`);
      if (planned.status !== "waiting") say(`${host} fetches and is ${planned.status}`);
      if (planned.path !== path) say(`${host} fetches what it shall not run`);
      if (planned.ahead !== undefined) say(`${host} fetches twice`);
      if (planned.wave <= soaking) say(`${host} fetches in its own wave`);
      if (real.hold !== undefined) say(`${host} is held and fetches`);
      if (!real.fetches) say(`${host} does not know orders to fetch`);
      if (real.running !== real.before) say(`${host} fetches over what somebody changed`);
      if (now - real.seenAt > absentAfterMs) say(`${host} is absent and fetches`);
      for (const wave of rollout.waves.slice(soaking, planned.wave + 1)) {
        if (wave.manual && !wave.released) say(`${host} fetches past the manual wave ${wave.name}`);
      }
    }
    fetches += orders.length;
  }

  function act(step: RolloutStep, rollout: Rollout): void {
    switch (step.type) {
      case "append":
        if (step.event.type === "ordered") judgeOrders(rollout, step.event);
        if (step.event.type === "fetch-ordered") judgeAhead(rollout, step.event);
        add(step.event);
        return;
      case "plan":
        add({
          type: "planned",
          part: 0,
          parts: 1,
          waves,
          hosts: [...hosts.values()].map(({ plan }) => plan),
        });
        return;
      case "place":
        for (const name of step.hosts) {
          const order = rollout.hosts.get(name)?.order;
          const host = hosts.get(name);
          if (order === undefined || host === undefined) throw new TypeError(`${name} has no order`);
          if (rollout.aborted !== undefined) violations.push(`${name} is given an order after the abort`);
          const isByHand = host.newest !== null && !host.orders.has(host.newest);
          if (isByHand && (host.newest ?? "") > order.order) {
            violations.push(`${name} is given an order over a newer one of somebody else`);
          }
          host.newest = order.order;
          host.orders.set(order.order, { kind: order.kind, path: order.path, at: now });
          known.add(name);
        }
        return;
      case "withdraw":
        for (const name of step.hosts) {
          const withdrawal = rollout.hosts.get(name)?.order?.withdrawal;
          const host = hosts.get(name);
          if (withdrawal === undefined || host === undefined)
            throw new TypeError(`${name} has no withdrawal`);
          host.newest = withdrawal;
          host.withdrawals.add(withdrawal);
          known.add(name);
        }
        return;
      case "place-ahead":
        for (const name of step.hosts) {
          const ahead = rollout.hosts.get(name)?.ahead;
          const host = hosts.get(name);
          if (ahead === undefined || host === undefined) throw new TypeError(`${name} has nothing to fetch`);
          if (rollout.aborted !== undefined) violations.push(`${name} is told to fetch after the abort`);
          known.add(name);
          const isByHand = host.newest !== null && !host.orders.has(host.newest);
          if ((isByHand && !host.withdrawals.has(host.newest ?? "")) || chance(0.1)) {
            // Something else is ordered there, or NATS does not answer.
            const result = { host: name, order: ahead.order, outcome: "not-taken" };
            add({ type: "fetch-ended", results: [result] });
            continue;
          }
          host.newest = ahead.order;
          host.orders.set(ahead.order, { kind: "fetch", path: ahead.path, at: now });
        }
        return;
      case "withdraw-ahead":
        for (const name of step.hosts) {
          const { ahead } = rollout.hosts.get(name) ?? {};
          const host = hosts.get(name);
          if (ahead?.withdrawal === undefined || host === undefined)
            throw new TypeError(`${name} has no withdrawal`);
          if (host.newest !== ahead.order) violations.push(`${name}: a withdrawal over another order`);
          host.newest = ahead.withdrawal;
          host.withdrawals.add(ahead.withdrawal);
          known.add(name);
        }
        return;
      case "ask-gates": {
        const answer =
          !calm && now < start + troubleMs && chance(0.1)
            ? ({ ok: false, code: pick(["GATE_FAILED", "GATE_NO_DATA"] as const), detail: "no" } as const)
            : ({ ok: true } as const);
        gates = new Map(policy.gates.map(({ name }) => [name, { answer, at: new Date(now) }]));
        return;
      }
      case "wait": {
        const until = step.until?.getTime() ?? now + 5000;
        const most = chance(0.1) ? 600_000 : 15_000;
        now += Math.max(1000, Math.min(until - now, most));
        for (const host of rollout.hosts.values()) {
          if (host.status === "ordered" || isFetchingAhead(host)) known.add(host.host);
        }
        return;
      }
      case "over":
    }
  }

  function deploymentOf(
    order: { kind: string; path: StorePath; at: number },
    more: Partial<Deployment>,
  ): Deployment {
    const at = new Date(order.at).toISOString();
    return {
      phase: "verifying",
      since: new Date(now).toISOString(),
      startedAt: at,
      phases: [],
      warnings: [],
      ...more,
    };
  }

  function end(
    host: SimulatedHost,
    order: OrderId,
    more: NonNullable<Deployment["end"]>["outcome"],
    code?: "BUSY" | "HELD" | "UNHEALTHY" | "NOT_CACHED" | "BAD_ORDER",
  ): void {
    const of = host.orders.get(order);
    if (of === undefined) return;
    const at = new Date(now).toISOString();
    of.deployment = deploymentOf(of, {
      phase: "finished",
      end: { outcome: more, at, ...(code === undefined ? {} : { code }) },
    });
  }

  /** Hosts get on with what they were ordered to do. */
  function live(): void {
    for (const host of hosts.values()) {
      if (host.isUp) host.seenAt = now;
      const { newest } = host;
      const order = newest === null ? undefined : host.orders.get(newest);
      if (newest === null || order === undefined || !host.isUp || order.deployment?.end !== undefined)
        continue;
      const ageMs = now - order.at;
      if (order.deployment === undefined) {
        if (ageMs > 15 * 60_000 || !chance(0.6)) continue;
        order.deployment = deploymentOf(order, {});
        continue;
      }
      if (order.deployment.phase === "staged" || !chance(0.4)) continue;
      if (order.kind === "fetch") {
        // The behaviours are about real orders, not about this one.
        const [outcome, code] = pick([
          ["fetched"],
          ["fetched"],
          ["failed", "NOT_CACHED"],
          ["rejected", "BAD_ORDER"],
        ] as const);
        end(host, newest, outcome, code);
        continue;
      }
      host.attempts++;
      if (order.kind === "rollback") {
        host.running = order.path;
        end(host, newest, "completed");
      } else if (order.kind === "reboot") {
        host.needsReboot = false;
        end(host, newest, "completed");
      } else if (host.behaviour === "fails") end(host, newest, "rolled-back", "UNHEALTHY");
      else if (host.behaviour === "refuses") end(host, newest, "rejected", "HELD");
      else if (host.behaviour === "busy-once" && host.attempts === 1) end(host, newest, "rejected", "BUSY");
      else if (host.behaviour === "dies" && host.attempts === 1) {
        order.deployment = deploymentOf(order, { phase: "activating" });
        host.isUp = false;
      } else if (host.behaviour === "staged") {
        order.deployment = deploymentOf(order, { phase: "staged", staged: "a new kernel" });
        host.running = order.path;
        host.needsReboot = true;
      } else {
        host.running = order.path;
        host.needsReboot = chance(0.3);
        if (host.behaviour === "gets-worse" && chance(0.5))
          host.failedUnits = [...host.failedUnits, "new.service"];
        end(host, newest, "completed");
      }
    }
  }

  function disturb(rollout: Rollout): void {
    const isTrouble = !calm && now < start + troubleMs;
    for (const host of hosts.values()) {
      if (!isTrouble) {
        // Everything is mended in the end, but what never came back.
        host.isUp ||= host.behaviour !== "dies" && chance(0.5);
        delete host.hold;
        continue;
      }
      if (chance(0.01)) host.isUp = !host.isUp;
      if (chance(0.005)) host.hold = "not now";
      else if (chance(0.05)) delete host.hold;
      if (chance(0.004)) {
        // Somebody deploys by hand.
        host.newest = newOrderId(new Date(now + 1));
        host.running = byHand;
      }
    }
    if (rollout.end !== undefined) return;
    const asked = { by: "kai" };
    if (isTrouble && chance(0.01)) add({ type: "paused", ...asked });
    if (isTrouble && chance(0.003)) add({ type: "aborted", ...asked, reason: "enough" });
    const waits = rollout.paused !== undefined || rollout.halted !== undefined;
    if (waits && chance(isTrouble ? 0.05 : 0.5)) {
      add(chance(0.8) ? { type: "resumed", ...asked } : { type: "aborted", ...asked });
    }
    if (isTrouble && chance(0.03)) {
      // The deployer dies, and another one knows only what is stored.
      gates = new Map();
      known = new Set();
      hearsSince = now;
    }
  }

  for (;;) {
    const rollout = folded;
    if (rollout === undefined) throw new TypeError("nothing was created");
    const step = decideRollout(viewOf(rollout), () => newOrderId(new Date(now)));
    if (step.type === "over") return { events, rollout, violations, fetches };
    act(step, rollout);
    if (now > start + mostMs || events.length > 3000) {
      return {
        events,
        rollout,
        violations: [...violations, `it does not end: ${JSON.stringify(step)}`],
        fetches,
      };
    }
    if (step.type === "wait") {
      live();
      disturb(rollout);
    }
  }
}
