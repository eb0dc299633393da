// The whole chain: from an input that moves to hosts that run it. A forge, real Nix and git, `update`, a builder with a cache, the
// deployer, NATS with the printed permissions, and four hosts with a systemd each. Only nixpkgs is pretended.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as v from "valibot";
import { Commit } from "../../src/protocol/names.ts";
import { rolloutOutcomes } from "../../src/protocol/rollout/rollout-events.ts";
import { looping, startChainLab, working, type ChainLab } from "../support/lab/chain/chain-lab.ts";
import { memberNames } from "../support/lab/chain/members.ts";
import { whyNoLab } from "../support/lab/lab.ts";

const why = whyNoLab();
if (why !== undefined) console.log(`The chain from an input to the fleet is not tested: ${why}`);

const Shown = v.looseObject({ commit: Commit, status: v.string(), detail: v.optional(v.string()) });
/** It only ends what hangs. */
const patienceMs = 600_000;
const patient = { timeout: 60_000 };
type Shown = v.InferOutput<typeof Shown>;

describe.skipIf(why !== undefined)("an input moves", { timeout: patienceMs }, () => {
  let lab: ChainLab;
  beforeAll(async () => {
    lab = await startChainLab();
  }, patienceMs);
  afterAll(async () => lab[Symbol.asyncDispose](), patienceMs);

  /** The newest rollout, once it is of the branch's tip and so. */
  async function rolloutOfTip(...statuses: readonly string[]): Promise<Shown> {
    const patience = AbortSignal.timeout(patienceMs - 30_000);
    for (;;) {
      const { stdout } = await lab.run("rollouts", "show", "last", "--json");
      const shown = v.safeParse(Shown, stdout === "" ? undefined : JSON.parse(stdout));
      if (shown.success && shown.output.commit === (await lab.tip())) {
        const { status } = shown.output;
        if (statuses.includes(status)) return shown.output;
        const isOver = rolloutOutcomes.some((each) => each === status) || status === "halted";
        if (isOver) throw new Error(`it is ${status}: ${shown.output.detail}\n${lab.deployerLog()}`);
      }
      if (patience.aborted) throw new Error(`it is still so: ${stdout}\n${lab.deployerLog()}`);
      await sleep(300);
    }
  }

  /** Every host runs exactly the systems of the tip, for good. */
  async function expectAllRun(systems: Readonly<Record<string, string>>): Promise<void> {
    for (const name of memberNames) {
      const path = systems[name];
      const runs = { running: path, permanent: path, bootDefault: path };
      expect(await lab.host(name).runs(), name).toMatchObject(runs);
    }
  }
  /** The newest order of each host. */
  const ordersOf = async (names = memberNames): Promise<readonly unknown[]> =>
    Promise.all(
      names.map(
        async (name) =>
          (await lab.bus.newestOrder(lab.address(name), AbortSignal.timeout(60_000)))?.sequence ?? "none",
      ),
    );
  const listed = async (): Promise<number> =>
    (JSON.parse((await lab.run("rollouts", "list", "--json")).stdout) as { rollouts: unknown[] }).rollouts
      .length;

  test("what is installed is what the branch says: nobody is ordered anything", async () => {
    await rolloutOfTip("completed");
    await expectAllRun(await lab.evaluate());
    expect(await ordersOf()).toEqual(["none", "none", "none", "none"]);
  });

  test("and builds: it lands, and reaches the canary, the others one by one, and last who serves them", async () => {
    await lab.move("nixpkgs", { version: "26.05.20261110.bbbbbbb" });
    const before = await lab.tip();
    const updated = await lab.update();
    expect(updated, updated.stdout + updated.stderr).toMatchObject({ exitCode: 0 });
    expect(await lab.tip()).not.toBe(before);
    const { id } = await rolloutOfTip("completed");
    const systems = await lab.evaluate();
    expect(systems["testvm01"]).toContain("bbbbbbb");
    await expectAllRun(systems);
    const said = await lab.run("rollouts", "show", String(id), "--follow", "--json");
    const events = said.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { event?: { type: string; orders?: { host: string }[] } });
    const hostsIn = (type: string): readonly string[] =>
      events
        .flatMap(({ event }) => (event?.type === type ? (event.orders ?? []) : []))
        .map(({ host }) => host);
    const ordered = hostsIn("ordered");
    expect(ordered).toEqual(["testvm01", "web01", "web02", "cache01"]);
    // Nobody fetches before the canary has shown that it works.
    expect(hostsIn("fetch-ordered")).not.toContain("testvm01");
    await expect.poll(() => lab.webhook.told.length, patient).toBe(2);
    expect(lab.webhook.told.join("\n")).toContain("completed");
  });

  test("and does not build: the pull request names the guilty one, and nothing is deployed", async () => {
    const [orders, rollouts, told, before] = [
      await ordersOf(),
      await listed(),
      lab.webhook.told.length,
      await lab.tip(),
    ];
    await lab.move("nixpkgs", { version: "26.05.20261120.ccccccc" });
    await lab.move("apps", { breaks: ["web02"] });
    const updated = await lab.update();
    expect(updated, updated.stdout + updated.stderr).toMatchObject({ exitCode: 1 });
    expect(updated.stdout).toContain("Without apps they build");
    const [pull] = lab.forge.state.pulls.filter(({ state }) => state === "open");
    expect(pull?.body).toContain("`web02`");
    expect(pull?.body).toContain("E: web does not compile");
    expect(pull?.body).toMatch(/apps/);
    expect(await lab.tip()).toBe(before);
    // Longer than the deployer waits between two looks.
    await sleep(16_000);
    expect([await ordersOf(), await listed(), lab.webhook.told.length]).toEqual([orders, rollouts, told]);
  });

  test("and builds, but does not work: the canary goes back, and people are told why", async () => {
    const others = memberNames.slice(1);
    const before = await ordersOf(others);
    const ran = await lab.host("testvm01").runs();
    await lab.move("apps", { breaks: [], web: looping });
    const updated = await lab.update();
    expect(updated, updated.stdout + updated.stderr).toMatchObject({ exitCode: 0 });
    const halted = await rolloutOfTip("halted");
    expect(halted.detail).toMatch(/testvm01: rolled-back \(UNHEALTHY\).*web\.service/);
    await expect.poll(() => lab.webhook.told.at(-1), patient).toMatch(/halted[^]*testvm01[^]*web\.service/);
    const { running, permanent, bootDefault } = await lab.host("testvm01").runs();
    expect({ running, permanent, bootDefault }).toEqual({
      running: ran.running,
      permanent: ran.permanent,
      bootDefault: ran.bootDefault,
    });
    // What a person does at a phone.
    const aborted = await lab.run("rollouts", "abort", "--reason", "web loops");
    expect(aborted, aborted.stderr).toMatchObject({ exitCode: 0 });
    await rolloutOfTip("aborted");
    expect(await lab.run("rollouts", "show", "last")).toMatchObject({ exitCode: 1 });
    expect(await ordersOf(others)).toEqual(before);
  });

  test("and is mended: the next commit reaches every host", async () => {
    await lab.move("apps", { web: working("2") });
    const updated = await lab.update();
    expect(updated, updated.stdout + updated.stderr).toMatchObject({ exitCode: 0 });
    await rolloutOfTip("completed");
    await expectAllRun(await lab.evaluate());
    expect(lab.forge.state.pulls.filter(({ state }) => state === "open")).toEqual([]);
  });
});
