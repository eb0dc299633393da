// A host is deployed to over NATS: real systemd, the printed permissions, a real cache, and the listener that a switch restarts.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { impatient, startDeployLab, type CommandResult, type DeployLab } from "../support/lab/deploy-lab.ts";
import { journalEnd, lineBehind } from "../support/lab/lab-journal.ts";
import { whyNoLab } from "../support/lab/lab.ts";
import { decodeJournalLine } from "../../src/deploy/journal.ts";
import type { DeployEvent } from "../../src/protocol/deploy/deploy-events.ts";

const why = whyNoLab();
if (why !== undefined) console.log(`Deployments over NATS to real hosts are not tested: ${why}`);

describe.skipIf(why !== undefined)("a host that is deployed to", () => {
  let lab: DeployLab;

  beforeAll(async () => {
    lab = await startDeployLab({
      first: {},
      good: {},
      ahead: {},
      restarting: { product: { listenerVersion: "2" } },
      deaf: {
        product: { listenerVersion: "3", nats: { servers: ["nats://127.0.0.1:1"] } },
        policy: impatient,
      },
      cut: { hooks: { end: "ip link set eth0 down" }, policy: impatient },
      looping: {
        units: {
          "web.service": "[Service]\nExecStart=/bin/sh -c 'sleep 0.4'\nRestart=always\nRestartSec=100ms\n",
        },
      },
      steady: {},
      slow: { hooks: { afterEtc: "sleep 5" } },
      last: {},
      slowBoot: {
        wants: ["web.service", "slow.service"],
        units: {
          "slow.service": "[Unit]\nBefore=web.service\n[Service]\nType=oneshot\nExecStart=/bin/sleep 6\n",
        },
      },
      deafAfterBoot: {
        product: { listenerVersion: "4", nats: { servers: ["nats://127.0.0.1:1"] } },
        policy: impatient,
      },
    });
    await lab.spoken();
  });
  afterAll(async () => lab[Symbol.asyncDispose]());

  const listenerPid = async (): Promise<string> =>
    lab.host.run("systemctl", "show", "--property=MainPID", "--value", "homelab-deploy-listener");
  const isActive = async (unit: string): Promise<string> =>
    (await lab.host.exec(["systemctl", "is-active", unit])).stdout.trim();

  /** It runs this system, boots it, and obeys. */
  async function expectRuns(name: string): Promise<void> {
    const path = lab.systems[name];
    expect(await lab.host.runs()).toMatchObject({ running: path, permanent: path, bootDefault: path });
    expect(await isActive("web.service")).toBe("active");
    await expect.poll(async () => isActive("homelab-deploy-listener.service")).toBe("active");
  }

  test("runs exactly what was built, for good", async () => {
    const done = await lab.deploy("good");
    expect(done, done.stderr).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("completed") });
    await expectRuns("good");
  });

  test("fetches a system for later, keeps it from the garbage collector, and changes nothing by that", async () => {
    const path = lab.systems["ahead"] ?? "";
    const before = await lab.host.runs();
    const isThere = async (): Promise<boolean> => (await lab.host.exec(["test", "-e", path])).exitCode === 0;
    expect(await isThere()).toBe(false);
    const order = await lab.orders.place("ahead", { kind: "fetch" });
    expect(await lab.orders.end(order)).toMatchObject({ type: "finished", outcome: "fetched" });
    await lab.host.run("nix-store", "--gc");
    expect(await isThere()).toBe(true);
    expect(await lab.host.runs()).toEqual(before);
    const ofOrder = async (): Promise<readonly DeployEvent[]> =>
      (await lab.events()).filter((event) => event.order === order.id);
    await expect
      .poll(async () => (await ofOrder()).map(({ type }) => type))
      .toEqual(["received", "fetching", "fetched", "finished"]);

    // What counts finds everything there.
    const done = await lab.deploy("ahead");
    expect(done, done.stderr).toMatchObject({ exitCode: 0 });
    await expectRuns("ahead");
    const fetching = (await lab.events()).findLast((event) => event.type === "fetching");
    expect(fetching).toMatchObject({ paths: 0, bytes: 0 });
  });

  test("comes to the same end when its listener and its activation are killed while it fetches", async () => {
    const before = await lab.host.runs();
    const from = await journalEnd(lab.host);
    const order = await lab.orders.place("steady", { kind: "fetch" });
    await lineBehind(lab.host, from, "fetching", AbortSignal.timeout(60_000));
    await lab.host.killUnit("homelab-deploy-listener.service");
    await lab.host.killUnit("homelab-deploy-activation.service");
    expect(await lab.orders.end(order)).toMatchObject({ type: "finished", outcome: "fetched" });
    expect(await lab.host.runs()).toEqual(before);
  });

  test("is confirmed by the listener of the new system, which the switch has started", async () => {
    const before = await listenerPid();
    const done = await lab.deploy("restarting");
    expect(done, done.stderr).toMatchObject({ exitCode: 0 });
    await expectRuns("restarting");
    expect(await listenerPid()).not.toBe(before);
  });

  test.each([
    ["does not know where NATS is", "deaf", 3, "UNCONFIRMED"],
    ["cuts the network", "cut", 3, "UNCONFIRMED"],
    ["has a service that ends again and again", "looping", 1, "UNHEALTHY"],
  ])("goes back from a system that %s, and obeys the next order", async (_, name, exitCode, code) => {
    const done = await lab.deploy(name);
    expect(done, done.stderr).toMatchObject({ exitCode, stdout: expect.stringContaining("rolled back") });
    expect(done.stdout + done.stderr).toContain(code);
    await expectRuns("restarting");
  });

  test("is not sent back because NATS is down for a while", async () => {
    const deploying = lab.deploy("steady");
    await expect.poll(async () => (await lab.host.runs()).running).toBe(lab.systems["steady"]);
    await lab.server.kill();
    await sleep(4000);
    await lab.server.start();
    const done = await deploying;
    expect(done, done.stderr).toMatchObject({ exitCode: 0 });
    await expectRuns("steady");
  });

  /** It is in the middle of its switch: `/etc` is new, and what runs is still the old system. */
  async function beginSlow(): Promise<Promise<CommandResult>[]> {
    const { etc } = await lab.host.runs();
    const deploying = lab.deploy("slow");
    await expect.poll(async () => (await lab.host.runs()).etc).not.toBe(etc);
    return [deploying];
  }

  test("goes back when whoever activates it is killed in the middle", async () => {
    const [deploying] = await beginSlow();
    await lab.host.run("systemctl", "kill", "--signal=KILL", "homelab-deploy-activation.service");
    const done = await deploying;
    expect(done, done?.stderr).toMatchObject({ exitCode: 3 });
    expect(`${done?.stdout}${done?.stderr}`).toContain("INTERRUPTED");
    await expectRuns("steady");
  });

  test("boots what it ran before when the power goes in the middle, and says so", async () => {
    const [deploying] = await beginSlow();
    await lab.host.reboot();
    const done = await deploying;
    expect(done, done?.stderr).toMatchObject({ exitCode: 3 });
    expect(`${done?.stdout}${done?.stderr}`).toContain("INTERRUPTED");
    await expectRuns("steady");
  });

  test("refuses to overwrite what somebody switched to by hand, until he says so", async () => {
    await lab.host.run(`${lab.systems["first"]}/bin/switch-to-configuration`, "test");
    // Nobody tells the listener: it looks every quarter of a minute.
    await expect
      .poll(async () => (await lab.run("hosts", "show", "db1", "--json")).stdout, { timeout: 90_000 })
      .toContain("hand-made");
    const refused = await lab.deploy("last");
    expect(refused, refused.stderr).toMatchObject({ exitCode: 4 });
    const done = await lab.run("deploy", "db1", "--allow-drift");
    expect(done, done.stderr).toMatchObject({ exitCode: 0 });
    await expectRuns("last");
  });

  test("is not sent back by a boot that takes longer than units get to settle", async () => {
    const done = await lab.deploy("slowBoot", "--boot", "--reboot");
    expect(done, done.stderr).toMatchObject({ exitCode: 0 });
    await expectRuns("slowBoot");
  });

  test("goes back from what a reboot of its own order has booted, and cannot be reached", async () => {
    const before = await lab.host.runs();
    const staged = await lab.deploy("deafAfterBoot", "--boot");
    expect(staged, staged.stderr).toMatchObject({ exitCode: 0 });
    const permanent = lab.systems["deafAfterBoot"] ?? "";
    await expect
      .poll(async () => (await lab.run("hosts", "show", "db1", "--json")).stdout)
      .toContain(permanent);
    const done = await lab.run("reboot", "db1");
    expect(done, done.stderr).toMatchObject({ exitCode: 3 });
    expect(done.stdout + done.stderr).toContain("UNCONFIRMED");
    const { running, permanent: kept, bootDefault } = before;
    expect(await lab.host.runs()).toMatchObject({ running, permanent: kept, bootDefault });
  });

  test("has told everything in one log without a gap", async () => {
    const { stdout } = await lab.host.exec(["cat", lab.journalFile]);
    const lines = stdout
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => decodeJournalLine(JSON.parse(line))?.event);
    await expect.poll(async () => (await lab.events()).length).toBe(lines.length);
    expect((await lab.events()).map(({ index, type }) => ({ index, type }))).toEqual(
      lines.map((event) => ({ index: event?.index, type: event?.type })),
    );
  });
});
