// A deployer, the hosts that it deploys and the builder's word about them, in memory and on a clock that jumps: a rollout of an
// hour passes in milliseconds. Hosts obey as the test says.
import { createMemoryBus } from "../../src/bus/memory-bus.ts";
import type { DeployerBus } from "../../src/bus/rollout-bus.ts";
import {
  BranchName,
  type BuildId,
  Commit,
  HostName,
  parseBuilderName,
  parseRepoName,
} from "../../src/protocol/names.ts";
import type { EventBody } from "../../src/protocol/events.ts";
import { DeployEvent, type DeployEventOf } from "../../src/protocol/deploy/deploy-events.ts";
import type { HostState } from "../../src/protocol/deploy/host-state.ts";
import type { Order } from "../../src/protocol/deploy/order.ts";
import { RolloutPolicy } from "../../src/protocol/rollout/rollout-policy.ts";
import { foldRollout, type Rollout } from "../../src/protocol/rollout/rollout.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import type { DeployerParts, RolloutNotice } from "../../src/rollout/deployer-parts.ts";
import { runDeployer } from "../../src/rollout/deployer.ts";
import type { GateAnswer } from "../../src/rollout/gates.ts";
import { signStatement } from "../../src/signing/sign-envelope.ts";
import * as v from "valibot";
import { silentLog } from "../../src/base/log.ts";
import { somePath, someSigner, someStatement } from "./deploy-orders.ts";
import { createFakeDeployBus, someHostState, type FakeDeployBus } from "./fake-deploy-bus.ts";
import { createFakeRolloutBus } from "./fake-rollout-bus.ts";
import { createVirtualClock } from "./virtual-clock.ts";

export const repo = parseRepoName("servers");
export const branch = v.parse(BranchName, "master");
export const hostNamed = (name: string): HostName => v.parse(HostName, name);
export const commitNamed = (letter: string): Commit => v.parse(Commit, letter.repeat(40));

type Outcome = Pick<DeployEventOf<"finished">, "outcome" | "code" | "detail">;

export interface RolloutRig extends AsyncDisposable {
  readonly bus: FakeDeployBus;
  readonly rollouts: DeployerBus;
  readonly notices: RolloutNotice[];
  /** What a host does with an order; it completes where this says nothing. */
  obey: (order: Order) => Outcome | "silence" | "staged" | undefined;
  gate: () => GateAnswer;
  readonly now: () => Date;
  sleep(milliseconds: number): Promise<void>;
  /** A green build of the branch: these hosts are stated. */
  build(commit: Commit, hosts: readonly HostName[]): Promise<BuildId>;
  /** The host is like that from now on; undefined for gone. */
  change(host: HostName, change: Partial<HostState>): void;
  goAway(host: HostName): void;
  comeBack(host: HostName): void;
  start(settings?: Partial<DeployerParts["settings"]>, more?: Partial<DeployerParts>): void;
  stop(): Promise<void>;
  newest(): Promise<Rollout>;
  /** Until the newest rollout is so. */
  until(holds: (rollout: Rollout) => boolean): Promise<Rollout>;
}

export function createRolloutRig(hosts: readonly Partial<HostState>[], rules: object = {}): RolloutRig {
  const clock = createVirtualClock("2026-11-29T12:00:00.000Z");
  const memory = createMemoryBus(clock);
  const rollouts = createFakeRolloutBus();
  const away = new Set<string>();
  const over = new AbortController();
  const states = hosts.map((host) => someHostState({ repo, at: clock.now().toISOString(), ...host }));
  const bus = createFakeDeployBus(states);
  const indexes = new Map<string, number>();
  const watchers = new Set<(news: { type: "deployment"; repo: typeof repo; host: HostName }) => void>();
  let running: { readonly over: AbortController; readonly done: Promise<unknown> } | undefined;
  const policy = v.parse(RolloutPolicy, { soakSeconds: 60, ...rules });

  function put(host: HostName, change: Partial<HostState>): void {
    const known = bus.states.get(`${repo}/${host}`) ?? someHostState({ repo, host });
    bus.states.set(`${repo}/${host}`, {
      ...known,
      ...change,
      at: clock.now().toISOString(),
      seq: known.seq + 1,
    });
  }

  /** Each host speaks twice a minute. */
  async function beat(): Promise<void> {
    for (;;) {
      for (const { host } of bus.states.values()) if (!away.has(host)) put(host, {});
      await clock.sleep(30_000, over.signal);
    }
  }
  const beating = beat().catch(() => undefined);

  function say(order: Order, body: object): void {
    const { host } = order;
    const index = indexes.get(host) ?? 0;
    indexes.set(host, index + 1);
    bus.say(
      v.parse(DeployEvent, { repo, host, index, at: clock.now().toISOString(), order: order.id, ...body }),
    );
    for (const tell of watchers) tell({ type: "deployment", repo, host });
  }

  async function carryOut(order: Order): Promise<void> {
    const { host, kind, action, path, serial, by, rollout } = order;
    if (away.has(host)) return;
    const answer = rig.obey(order);
    if (answer === "silence") return;
    await clock.sleep(1000, over.signal);
    put(host, { serial });
    say(order, { type: "received", kind, action, path, serial, by, rollout });
    await clock.sleep(9000, over.signal);
    if (answer === "staged") return say(order, { type: "staged", why: "a new kernel" });
    const { outcome = kind === "fetch" ? "fetched" : "completed", ...more } = answer ?? {};
    const before = bus.states.get(`${repo}/${host}`)?.running.path ?? null;
    if (outcome === "completed" && kind !== "reboot" && kind !== "withdraw") {
      put(host, {
        running: { path, since: clock.now().toISOString() },
        permanent: { path },
        ...(before === null ? {} : { previous: { path: before } }),
      });
    }
    if (outcome === "completed" && kind === "reboot") put(host, { reboot: { needed: [] } });
    say(order, { type: "finished", outcome, ms: 10_000, ...more });
  }
  bus.onOrder = (order) => void carryOut(order).catch(() => undefined);

  const rig: RolloutRig = {
    bus,
    rollouts,
    notices: [],
    obey: () => undefined,
    gate: () => ({ ok: true }),
    now: () => clock.now(),
    sleep: async (milliseconds) => clock.sleep(milliseconds),
    async build(commit, names) {
      const id = newBuildId(clock.now());
      const writer = await memory.openEventLog(id, [], over.signal);
      const refs = names.map((host) => ({ repo, host }));
      const bodies: EventBody[] = [
        {
          type: "accepted",
          builder: parseBuilderName("b1"),
          priority: "batch",
          trigger: "manual",
          sources: [{ repo, branch, commit, tip: true }],
          hosts: refs,
          complete: true,
          skipped: [],
        },
        ...inParts(refs).map((some): EventBody => ({
          type: "hosts-finished",
          hosts: some.map((ref) => ({
            ...ref,
            verdict: "built",
            durationMs: 1,
            cached: true,
            statement: signStatement(
              someStatement({
                ...ref,
                branch,
                commit,
                path: pathOf(ref.host, commit),
                at: clock.now().toISOString(),
              }),
              someSigner("builder"),
            ),
          })),
        })),
        { type: "finished", verdict: "succeeded", durationMs: 1 },
      ];
      for (const [index, body] of bodies.entries()) {
        await writer.append(
          { build: id, epoch: 1, index, at: clock.now().toISOString(), ...body },
          over.signal,
        );
      }
      return id;
    },
    change: put,
    goAway(host) {
      away.add(host);
    },
    comeBack(host) {
      away.delete(host);
      put(host, {});
    },
    start(settings = {}, more = {}) {
      const stopping = new AbortController();
      const parts: DeployerParts = {
        repo,
        settings: { automatic: false, branch, whenOnlineMs: 7 * 86_400_000, policy, ...settings },
        by: "deployer",
        reader: memory,
        bus,
        rollouts,
        watcher: {
          isConnected: () => true,
          watch(onNews, signal) {
            watchers.add(onNews);
            signal.addEventListener("abort", () => watchers.delete(onNews), { once: true });
          },
        },
        signer: someSigner("deployer"),
        gates: { ask: async () => rig.gate() },
        tell: async (notice) => {
          rig.notices.push(notice);
        },
        clock,
        log: silentLog,
        ...more,
      };
      const done = runDeployer(parts, stopping.signal).catch((error: unknown) => {
        if (!stopping.signal.aborted) throw error;
      });
      running = { over: stopping, done };
    },
    async stop() {
      running?.over.abort();
      await running?.done;
      running = undefined;
    },
    async newest() {
      const signal = AbortSignal.timeout(60_000);
      const [id] = await rollouts.rolloutIds(signal);
      const rollout =
        id === undefined ? undefined : foldRollout((await rollouts.readRollout(id, signal)).events);
      if (rollout === undefined) throw new Error("there is no rollout");
      return rollout;
    },
    async until(holds) {
      for (let seconds = 0; seconds < 14 * 86_400; seconds += 5) {
        const ids = await rollouts.rolloutIds(AbortSignal.timeout(60_000));
        const rollout = ids.length === 0 ? undefined : await rig.newest();
        if (rollout !== undefined && holds(rollout)) return rollout;
        await clock.sleep(5000);
      }
      throw new Error(
        `it never came to that: ${JSON.stringify(await rig.newest(), (_, value) => (value instanceof Map ? [...value.values()] : value))}`,
      );
    },
    async [Symbol.asyncDispose]() {
      over.abort();
      await rig.stop();
      await beating;
    },
  };
  return rig;
}

export const pathOf = (host: string, commit: string) => somePath(`${host}-${commit.slice(0, 4)}`);

/** As many hosts as fit into an event. */
const inParts = <Item>(items: readonly Item[]): readonly (readonly Item[])[] =>
  Array.from({ length: Math.ceil(items.length / 200) }, (_, part) =>
    items.slice(part * 200, (part + 1) * 200),
  );
