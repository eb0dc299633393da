// Carries out one rollout to its end: looks, decides, does one thing, and looks again. Everything that it does is told in the
// rollout's log before it has an effect.
import { createNotifier } from "../base/notifier.ts";
import { withDeadline } from "../base/deadline.ts";
import { HomelabError, isUnavailable } from "../base/errors.ts";
import { newOrderId } from "../deploy/ordering/compose-order.ts";
import type { StatedClosure } from "../deploy/ordering/decide-plan.ts";
import type { HostName } from "../protocol/names.ts";
import { hostsInPart, type RolloutId } from "../protocol/rollout/rollout-events.ts";
import {
  applyRolloutEvent,
  foldRollout,
  type Rollout,
  type RolloutHost,
} from "../protocol/rollout/rollout.ts";
import { decideRollout } from "./decide-rollout.ts";
import type { DeployerParts } from "./deployer-parts.ts";
import { createHostViews, lookEveryMs } from "./host-views.ts";
import { placeAheadOrders, withdrawAheadOrder } from "./ahead/place-ahead.ts";
import { placeRolloutOrder, placeWithdrawal, type Placed } from "./place-rollout-order.ts";
import type { RolloutPlan } from "./plan-rollout.ts";
import type { RolloutEventBody, RolloutStep, RolloutView } from "./rollout-view.ts";

export interface RolloutSources {
  /** Looks at the hosts that it is for. */
  readonly plan: (rollout: Rollout, signal: AbortSignal) => Promise<RolloutPlan>;
  /** What a builder stated of these hosts at the rollout's commit. */
  readonly statements: (
    rollout: Rollout,
    hosts: readonly HostName[],
    signal: AbortSignal,
  ) => Promise<ReadonlyMap<HostName, StatedClosure>>;
  /** Since when hosts are heard without a gap. */
  readonly hearsSince: () => Date;
}

const retryMs = 2000;
/** An order that is stored much later would come when its window has closed, or somebody has paused. */
const placingMs = 60_000;

/**
 * @returns the rollout as it ended
 * @throws the signal's reason, and HomelabError for a problem that does not resolve by itself, such as a missing permission
 */
export async function runRollout(
  parts: DeployerParts,
  { plan, statements, hearsSince }: RolloutSources,
  id: RolloutId,
  signal: AbortSignal,
): Promise<Rollout> {
  const { bus, rollouts, watcher, gates, clock, log, repo, tell } = parts;
  const notifier = createNotifier();
  const placing = {
    clock,
    milliseconds: placingMs,
    error: () =>
      new HomelabError("unavailable", "an order could not be stored in time", { code: "NATS_TIMEOUT" }),
  };
  const over = new AbortController();
  const watching = AbortSignal.any([signal, over.signal]);
  const views = createHostViews({ repo, bus, clock });
  const stated = new Map<HostName, StatedClosure>();
  const asked = new Map<
    string,
    RolloutView["gates"] extends ReadonlyMap<string, infer Answer> ? Answer : never
  >();
  let isStale = true;
  let rollout: Rollout | undefined;
  let sequence = 0;
  let readAt = Number.NEGATIVE_INFINITY;

  watcher.watch((news) => {
    if (news.type === "deployment" && news.repo === repo) views.heard(news.host);
    if (news.type === "connection") views.doubt();
    notifier.notify();
  }, watching);
  rollouts.watchRollouts((news) => {
    if (news.type === "rollout" && news.rollout !== id) return;
    isStale = true;
    notifier.notify();
  }, watching);

  /** Others append too: people who pause, resume and abort. */
  async function read(): Promise<Rollout> {
    if (isStale || clock.monotonic() - readAt > lookEveryMs || rollout === undefined) {
      isStale = false;
      readAt = clock.monotonic();
      // Our own events make others, and us, look.
      const isKnown = rollout !== undefined && (await rollouts.lastSequence(id, signal)) === sequence;
      if (!isKnown) {
        const stored = await rollouts.readRollout(id, signal);
        rollout = foldRollout(stored.events);
        ({ sequence } = stored);
      }
    }
    if (rollout === undefined) throw new TypeError(`there is no rollout ${id}`);
    return rollout;
  }

  async function append(body: RolloutEventBody, from: Rollout): Promise<Rollout | undefined> {
    const event = { ...body, rollout: id, repo, at: clock.now().toISOString() };
    const stored = await rollouts.appendRolloutEvent(event, sequence, signal);
    if (stored === undefined) {
      isStale = true;
      return undefined;
    }
    sequence = stored;
    rollout = applyRolloutEvent(from, event);
    return rollout;
  }

  async function tellPlan(from: Rollout): Promise<void> {
    const { waves, hosts } = await plan(from, signal);
    const count = Math.max(1, Math.ceil(hosts.length / hostsInPart));
    let now: Rollout | undefined = from;
    for (let part = 0; part < count && now !== undefined; part++) {
      const some = hosts.slice(part * hostsInPart, (part + 1) * hostsInPart);
      const first = part === 0 ? { waves: [...waves] } : {};
      now = await append({ type: "planned", part, parts: count, ...first, hosts: [...some] }, now);
    }
    if (now !== undefined) await tell({ type: "started", rollout: now });
  }

  async function forEach(
    hosts: readonly HostName[],
    from: Rollout,
    act: (host: RolloutHost, signal: AbortSignal) => Promise<Placed>,
  ): Promise<void> {
    const notStated: RolloutHost[] = [];
    const settled = await Promise.allSettled(
      hosts.map(async (name) => {
        const host = from.hosts.get(name);
        const order = host?.status === "ordered" ? host.order : host?.ahead;
        if (host === undefined || order === undefined) return;
        const placed = await withDeadline(placing, signal, async (until) => act(host, until));
        if (placed === "stored") {
          views.stored(name, order.withdrawal ?? order.order);
        } else {
          views.heard(name);
        }
        if (placed === "not-stated") notStated.push(host);
      }),
    );
    for (const each of settled) if (each.status === "rejected") throw each.reason;
    const detail = "no builder has stated this closure any more";
    const results = notStated.flatMap(({ host, order }) =>
      order === undefined ? [] : [{ host, order: order.order, outcome: "failed" as const, detail }],
    );
    if (results.length > 0) await append({ type: "ended", results: results.slice(0, hostsInPart) }, from);
  }

  async function readStatements(hosts: readonly HostName[], from: Rollout): Promise<void> {
    if (hosts.every((host) => stated.has(host))) return;
    const all = [...from.hosts.keys()];
    for (const [host, closure] of await statements(from, all, signal)) stated.set(host, closure);
  }

  async function place(hosts: readonly HostName[], from: Rollout): Promise<void> {
    await readStatements(hosts, from);
    await forEach(hosts, from, async (host, until) =>
      placeRolloutOrder(parts, from, host, stated.get(host.host), until),
    );
  }

  async function placeAhead(hosts: readonly HostName[], from: Rollout): Promise<void> {
    const readStated = async (): Promise<typeof stated> => {
      await readStatements(hosts, from);
      return stated;
    };
    const failed = await placeAheadOrders({ ...parts, readStated, views }, from, hosts, signal);
    if (failed.length > 0) await append({ type: "fetch-ended", results: failed.slice(0, hostsInPart) }, from);
  }

  async function carryOut(step: RolloutStep, from: Rollout): Promise<void> {
    switch (step.type) {
      case "append": {
        if (step.event.type === "ordered" || step.event.type === "fetch-ordered") {
          await Promise.all(step.event.orders.map(async ({ host }) => views.begin(host, signal)));
        }
        const next = await append(step.event, from);
        if (next === undefined) return;
        if (step.event.type === "halted") {
          // Whoever resumes it has mended what a gate complained of: the gates are asked again.
          asked.clear();
          await tell({ type: "halted", rollout: next });
        }
        if (step.event.type === "finished") await tell({ type: "finished", rollout: next });
        return;
      }
      case "plan":
        return tellPlan(from);
      case "place":
        return place(step.hosts, from);
      case "withdraw":
        return forEach(step.hosts, from, async (host, until) => placeWithdrawal(parts, from, host, until));
      case "place-ahead":
        return placeAhead(step.hosts, from);
      case "withdraw-ahead":
        return forEach(step.hosts, from, async (host, until) => withdrawAheadOrder(parts, from, host, until));
      case "ask-gates":
        await Promise.all(
          from.policy.gates.map(async (gate) => {
            const answer = await gates.ask(gate, signal);
            asked.set(gate.name, { answer, at: clock.now() });
          }),
        );
        return;
      case "wait": {
        const left = step.until === undefined ? lookEveryMs : step.until.getTime() - clock.now().getTime();
        await wait(Math.max(0, Math.min(lookEveryMs, left)));
        return;
      }
      case "over":
    }
  }

  /** Until `notify` is called, and at most so long. */
  async function wait(milliseconds: number): Promise<void> {
    const enough = new AbortController();
    const until = AbortSignal.any([signal, enough.signal]);
    await Promise.race([
      notifier.wait(until).catch(() => undefined),
      clock.sleep(milliseconds, until).catch(() => undefined),
    ]);
    enough.abort();
    signal.throwIfAborted();
  }

  try {
    for (;;) {
      signal.throwIfAborted();
      try {
        const now = await read();
        const hosts = await views.look(now, signal);
        const view = { rollout: now, now: clock.now(), hearsSince: hearsSince(), hosts, gates: asked };
        const step = decideRollout(view, () => newOrderId(clock.now()));
        if (step.type === "over") return now;
        await carryOut(step, now);
      } catch (error) {
        signal.throwIfAborted();
        if (!isUnavailable(error)) throw error;
        log.warn({ rollout: id, err: error }, "the rollout waits: NATS cannot be reached");
        isStale = true;
        views.doubt();
        await clock.sleep(retryMs, signal);
      }
    }
  } finally {
    over.abort();
  }
}
