// Orders that the host has obeyed before, again and in any order: over NATS, to a listener that was started again, over a NATS
// that has forgotten everything, and straight to the activator as a stolen listener would. None may be obeyed once more.
import { rm } from "node:fs/promises";
import { createDeployBus } from "../../../src/bus/deploy/create-deploy-bus.ts";
import { setUpStreams } from "../../../src/bus/server/setup.ts";
import { bytesOf } from "../../../src/protocol/deploy/order.ts";
import { parseHostName, parseRepoName } from "../../../src/protocol/names.ts";
import type { DeployLab } from "../../support/lab/deploy-lab.ts";
import { journalOf } from "../../support/lab/lab-journal.ts";
import { nodeInHost } from "../../support/lab/lab.ts";
import type { Fault } from "../judge-build.ts";
import { createScenario } from "./scenario.ts";

export interface ReplayResult {
  readonly faults: readonly Fault[];
  readonly stored: number;
  /** Straight to the activator. */
  readonly handed: number;
  /** What the host has written down as `REPLAYED`. The listener looks at the newest order only, at most once a second. */
  readonly refused: number;
}

const address = { repo: parseRepoName("servers"), host: parseHostName("db1") };
const signal = (): AbortSignal => AbortSignal.timeout(60_000);

/** Fewer would not be "in any order". */
const fewest = 3;

/** @param options.systems of the lab, which the host runs in turn */
export async function runReplays(
  lab: DeployLab,
  {
    count,
    handed,
    systems,
    random,
  }: {
    readonly count: number;
    readonly handed: number;
    readonly systems: readonly [string, string];
    readonly random: () => number;
  },
): Promise<ReplayResult> {
  const { host } = lab;
  const scenario = createScenario("orders that were obeyed before", lab);
  const next = async (): Promise<string> => {
    const { running: now } = await host.runs();
    return systems.find((name) => lab.systems[name] !== now) ?? systems[0];
  };
  const obeyed = async (): Promise<readonly string[]> =>
    (await journalOf(host)).lines.flatMap(({ envelope }) => (envelope === undefined ? [] : [envelope]));
  for (let each = (await obeyed()).length; each < fewest; each++)
    await scenario.deploy(await next(), "completed");
  const envelopes = await obeyed();
  const { running, generation } = await host.runs();
  const counted = async () => {
    const { lines } = await journalOf(host);
    const refusedNow = lines.filter(
      ({ event }) => event.type === "rejected" && event.code === "REPLAYED",
    ).length;
    return { taken: lines.filter(({ event }) => event.type === "received").length, refused: refusedNow };
  };
  const before = await counted();
  const any = (): string => envelopes[Math.floor(random() * (envelopes.length - 1))] ?? "";

  async function storeSome(many: number): Promise<void> {
    await using operating = await lab.connect("operator");
    const bus = createDeployBus(operating);
    let sequence = (await bus.newestOrder(address, signal()))?.sequence ?? 0;
    for (let each = 0; each < many; each++) {
      if (!(await bus.putOrder(address, bytesOf(any()), sequence, signal())))
        scenario.wrong("a replay was not stored");
      sequence = (await bus.newestOrder(address, signal()))?.sequence ?? 0;
    }
  }

  /** The last one that is stored is always looked at. */
  async function expectMore(refused: number, when: string): Promise<number> {
    const until = performance.now() + 60_000;
    while (performance.now() < until) {
      const now = (await counted()).refused;
      if (now > refused) return now;
      await new Promise((done) => setTimeout(done, 200));
    }
    scenario.wrong(`${when}: nothing was refused as REPLAYED`);
    return refused;
  }

  const third = Math.ceil(count / 3);
  await storeSome(third);
  let refused = await expectMore(before.refused, "replayed");
  await host.run("systemctl", "restart", "homelab-deploy-listener");
  await storeSome(third);
  refused = await expectMore(refused, "replayed to a listener that was started again");
  await lab.server.kill();
  await rm(lab.server.storeDirectory, { recursive: true });
  await lab.server.start();
  {
    await using admin = await lab.connect("admin");
    await setUpStreams(admin);
  }
  await storeSome(count - 2 * third);
  refused = await expectMore(refused, "replayed over a NATS that has forgotten everything");

  // As the listener's user, and at once.
  const messages = Array.from({ length: handed }, () => JSON.stringify({ type: "order", envelope: any() }));
  await host.writeFile("/tmp/replays", messages.join("\n"));
  const script = `const net = require("net"), lines = require("fs").readFileSync("/tmp/replays", "utf8").split("\\n").filter(Boolean);
    (async () => { for (const line of lines) await new Promise((done) => {
      const s = net.connect("/run/homelab-deploy/activate.sock");
      s.on("close", done).on("error", done).resume().write(line + "\\n");
    }); })();`;
  await host.exec(["runuser", "-u", "nobody", "--", nodeInHost, "--eval", script], { timeoutMs: 300_000 });
  if (handed > 0) await expectMore(refused, "handed to the activator by a stolen listener");

  const after = await counted();
  if (after.taken !== before.taken) scenario.wrong(`${after.taken - before.taken} replays were taken`);
  const now = await host.runs();
  if (now.running !== running || now.generation !== generation)
    scenario.wrong("the host runs another system");
  // And it still obeys.
  await scenario.deploy(await next(), "completed");
  return { faults: scenario.faults, stored: count, handed, refused: after.refused - before.refused };
}
