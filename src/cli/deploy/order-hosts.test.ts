import { expect, test } from "vitest";
import { createCommandContext } from "../../../test/support/command-context.ts";
import { goodDeployment, scriptDeployments, type DeployScript } from "../../../test/support/deploy-events.ts";
import { someSigner, someStatement } from "../../../test/support/deploy-orders.ts";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import {
  createFakeDeployBus,
  someHostState,
  type FakeDeployBus,
} from "../../../test/support/fake-deploy-bus.ts";
import { systemClock } from "../../base/clock.ts";
import { decidePlan, type PlanSpecification } from "../../deploy/ordering/decide-plan.ts";
import type { Order } from "../../protocol/deploy/order.ts";
import { openStatement } from "../../signing/open-envelope.ts";
import { signStatement } from "../../signing/sign-envelope.ts";
import type { Context, KeyInput } from "../context.ts";
import { orderHosts, type OrderHostsOptions } from "./order-hosts.ts";

const deploy: PlanSpecification = { kind: "activate", action: "switch", reboot: false, allowDrift: false };
/** Of `--timeout`: these hosts never answer. */
const soonMs = 300;
const time = "2026-11-29T12:01:00.000Z";

interface Rig {
  readonly bus: FakeDeployBus;
  readonly said: { stdout: string; stderr: string };
  readonly run: (options?: OrderHostsOptions, specification?: Partial<PlanSpecification>) => Promise<number>;
  readonly ordered: () => string[];
}

/** Hosts that do with each order what is given for them, in turn; nothing where it is over. */
function createRig(
  hosts: Readonly<Record<string, readonly ((script: DeployScript, order: Order) => DeployScript)[]>>,
  states: Readonly<Record<string, object>> = {},
  changes: Partial<Context> = {},
): Rig {
  const clock = createFakeClock(time);
  const names = Object.keys(hosts);
  const bus = createFakeDeployBus(names.map((host) => someHostState({ host, ...states[host] })));
  const turns = new Map<string, number>();
  const said = new Map<string, number>();
  bus.onOrder = (order) => {
    const turn = turns.get(order.host) ?? 0;
    turns.set(order.host, turn + 1);
    const firstIndex = said.get(order.host) ?? 0;
    const script = hosts[order.host]?.[turn]?.(
      scriptDeployments({ host: order.host, order: order.id, firstIndex }),
      order,
    );
    said.set(order.host, firstIndex + (script?.events.length ?? 0));
    for (const event of script?.events ?? []) bus.say(event);
  };
  const { context, said: output } = createCommandContext({ clock, ...changes });
  const facts = names.map((host) => {
    const signed = signStatement(someStatement({ host }), someSigner("builder"));
    const state = bus.states.get(`nixos-servers/${host}`);
    if (state === undefined) throw new Error(`${host} has no state`);
    return {
      address: { repo: state.repo, host: state.host },
      state,
      stated: { ...openStatement(signed), signed },
    };
  });
  return {
    bus,
    said: output,
    run: async (options = {}, specification = {}) =>
      orderHosts(
        context,
        {
          bus,
          signer: async () => someSigner("kai"),
          signal: new AbortController().signal,
          handOver: () => undefined,
        },
        decidePlan(facts, { ...deploy, ...specification }, clock.now()),
        { ...deploy, ...specification },
        options,
      ),
    ordered: () => bus.orders.map(({ order }) => order.host),
  };
}

const rolledBack = (script: DeployScript): DeployScript =>
  script.add("received").add("activating").add("rolling-back").add("finished", { outcome: "rolled-back" });
const silent = (script: DeployScript): DeployScript => script;

test("a host that completes is success, with its phases in plain lines", async () => {
  const rig = createRig({ web01: [goodDeployment] });
  expect(await rig.run()).toBe(0);
  expect(rig.bus.orders[0]?.order).toMatchObject({ kind: "activate", reboot: "never", host: "web01" });
  expect(rig.said.stderr).toMatchInlineSnapshot(`
    "12:01:00Z web01: took the order of kai
    12:01:00Z web01: fetching 977 KiB (12 paths)
    12:01:00Z web01: fetched in 2s
    12:01:00Z web01: activating
    12:01:00Z web01: checking the new system
    12:01:00Z web01: no unit failed
    12:01:00Z web01: reached over the network by its new system
    12:01:00Z web01: making it permanent
    "
  `);
  expect(rig.said.stdout).toMatch(/^web01 {2}✓ completed {2}0s\n$/);
});

test("a host that was rolled back is never success", async () => {
  const rig = createRig({ web01: [rolledBack] });
  expect(await rig.run()).toBe(1);
  expect(rig.said.stdout).toContain("✗ rolled back: gitea.service failed (UNHEALTHY)");
});

test("several hosts go one after another, those that others need last, up to the first failure", async () => {
  const hosts = {
    nats01: [goodDeployment],
    web01: [goodDeployment],
    web02: [rolledBack],
    web03: [goodDeployment],
  };
  const rig = createRig(hosts, { nats01: { serves: ["nats"] } });
  expect(await rig.run({ yes: true })).toBe(1);
  expect(rig.ordered()).toEqual(["web01", "web02"]);
  expect(rig.said.stdout).toMatch(/web03 {3}· not begun\nnats01 {2}· not begun\n$/);
});

test("what is refused in the plan is left out, and counts in the exit code", async () => {
  const rig = createRig(
    { web01: [goodDeployment], web02: [goodDeployment] },
    { web01: { hold: "the fair" } },
  );
  expect(await rig.run({ yes: true })).toBe(4);
  expect(rig.ordered()).toEqual(["web02"]);
  expect(rig.said.stdout).toContain("not deployed: the fair (HELD)");
});

test("one host that is refused is an error with its code and what to do", async () => {
  const rig = createRig({ web01: [] }, { web01: { drift: ["hand-made"] } });
  await expect(rig.run()).rejects.toMatchObject({
    kind: "refused",
    code: "CHANGED_MEANWHILE",
    hint: expect.stringContaining("--allow-drift"),
  });
  expect(rig.ordered()).toEqual([]);
});

test("a host that knows a higher serial gets one more order above it, and not a third", async () => {
  const replayed = (script: DeployScript): DeployScript =>
    script.add("rejected", { code: "REPLAYED", serial: Date.parse(time) + 5000 });
  const once = createRig({ web01: [replayed, goodDeployment] });
  expect(await once.run()).toBe(0);
  expect(once.bus.orders.map(({ order }) => order.serial)).toEqual([
    Date.parse(time),
    Date.parse(time) + 5001,
  ]);
  const twice = createRig({ web01: [replayed, replayed, goodDeployment] });
  expect(await twice.run()).toBe(4);
  expect(twice.ordered()).toHaveLength(2);
});

test("several hosts need a yes: a key at a terminal, or --yes", async () => {
  const hosts = { web01: [goodDeployment], web02: [goodDeployment] };
  await expect(createRig(hosts).run()).rejects.toMatchObject({ code: "BAD_ARGUMENTS" });
  const typing = (key: string): KeyInput => ({
    setRawMode() {},
    on: (_, listener) => listener(Buffer.from(key)),
    off() {},
    resume() {},
    pause() {},
  });
  const no = createRig(hosts, {}, { input: typing("\r") });
  expect(await no.run()).toBe(130);
  expect(no.ordered()).toEqual([]);
  const yes = createRig(hosts, {}, { input: typing("y") });
  expect(await yes.run()).toBe(0);
  expect(yes.ordered()).toEqual(["web01", "web02"]);
});

test("a plan says what would happen, signs nothing, and exits with what is refused", async () => {
  const rig = createRig(
    { web01: [], nats01: [] },
    { nats01: { serves: ["nats"] }, web01: { hold: "the fair" } },
  );
  expect(await rig.run({ plan: true })).toBe(4);
  expect(rig.ordered()).toEqual([]);
  expect(rig.said.stdout).toMatchInlineSnapshot(`
    "Host    From     To       What
    web01   4be10a9  ccccccc  refused: the fair (HELD)
    nats01  4be10a9  ccccccc  deployed last: others need it

    What to do about those that are refused:
      web01: change the option in the host's configuration
    "
  `);
});

test("Ctrl-C leaves the host to itself and says how to look again", async () => {
  let interrupt = (): void => undefined;
  const nothing = () => () => undefined;
  const signals = {
    onInterrupt(listener: () => void) {
      interrupt = listener;
      return () => undefined;
    },
    onTerminate: nothing,
    onSuspend: nothing,
    received: () => undefined,
  };
  const rig = createRig({ web01: [silent], web02: [goodDeployment] }, {}, { signals });
  const running = rig.run({ yes: true });
  await expect.poll(rig.ordered).toEqual(["web01"]);
  interrupt();
  expect(await running).toBe(130);
  expect(rig.said.stderr).toContain("Detached; web01 continues by itself. 1 more were not ordered.");
  expect(rig.said.stderr).toContain("homelab-deploy hosts show web01");
});

test("--timeout says that the host continues, and --detach prints the order", async () => {
  const rig = createRig({ web01: [silent] });
  expect(await rig.run({ timeout: soonMs })).toBe(124);
  expect(rig.said.stderr).toContain("web01 continues by itself");
  const detached = createRig({ web01: [silent] });
  expect(await detached.run({ detach: true })).toBe(0);
  expect(detached.said.stdout).toBe(`${detached.bus.orders[0]?.order.id}\n`);
  await expect(createRig({ web01: [], web02: [] }).run({ detach: true })).rejects.toMatchObject({
    code: "BAD_ARGUMENTS",
  });
});

test("--json has an object for the order, each event and the end", async () => {
  const rig = createRig({ web01: [rolledBack] }, {}, { json: true });
  expect(await rig.run()).toBe(1);
  const lines = rig.said.stdout
    .trim()
    .split("\n")
    .map((line): object => JSON.parse(line));
  expect(lines).toMatchObject([
    { type: "order", order: { host: "web01" } },
    { type: "event", event: { type: "received" } },
    { type: "event", event: { type: "activating" } },
    { type: "event", event: { type: "rolling-back" } },
    { type: "event", event: { type: "finished" } },
    {
      type: "finished",
      exitCode: 1,
      hosts: [{ host: "web01", outcome: "rolled-back", code: "UNHEALTHY", exitCode: 1 }],
    },
  ]);
});

test("a live view shows the hosts, and ends with how each did", async () => {
  const frames: string[] = [];
  const err = { isTTY: true, columns: 80, rows: 24, write: (text: string) => frames.push(text) };
  const rig = createRig({ web01: [silent] }, {}, { err, environment: { TERM: "xterm" }, clock: systemClock });
  const running = rig.run({ timeout: soonMs });
  await expect.poll(() => frames.join("")).toContain("waits for the host to take the order");
  expect(await running).toBe(124);
  expect(frames.join("")).toContain("Deploy · web01");
});
