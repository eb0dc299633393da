// The host that has the NATS and the cache of the fleet is itself deployed to: what it restarts, everybody else needs too.
import { createDeployBus } from "../../../src/bus/deploy/create-deploy-bus.ts";
import { createListenerBus } from "../../../src/bus/deploy/create-listener-bus.ts";
import { impatient, startDeployLab } from "../../support/lab/deploy-lab.ts";
import { servingUnits } from "../../support/lab/serving-host.ts";
import { testHosts } from "../../support/start-roles-server.ts";
import type { Fault } from "../judge-build.ts";
import { createScenario } from "./scenario.ts";

export async function runServingScenarios(say: (line: string) => void): Promise<readonly Fault[]> {
  const holds = { timeouts: { ...impatient.timeouts, confirm: 10, hold: 10 } };
  await using lab = await startDeployLab(
    {
      first: servingUnits({ nats: "1", cache: "1" }),
      "NATS restarted": servingUnits({ nats: "2", cache: "1" }),
      "cache restarted": servingUnits({ nats: "2", cache: "2" }),
      "both restarted": servingUnits({ nats: "3", cache: "3" }),
      "NATS with a broken configuration": servingUnits({
        nats: "4",
        cache: "3",
        natsConfiguration: "jetstream {",
      }),
      "cache without its directory": servingUnits({ nats: "3", cache: "4", cacheDirectory: "/nowhere" }),
      // It runs, and nobody is told where: for the host that is no other than a NATS that is down.
      "NATS on another port": {
        ...servingUnits({ nats: "5", cache: "3", natsConfiguration: 'listen: "0.0.0.0:4333"' }),
        policy: holds,
      },
      last: servingUnits({ nats: "6", cache: "6" }),
    },
    { serves: true },
  );
  await lab.spoken();
  const scenario = createScenario("the host that serves the fleet", lab);

  // A listener of another host: it is told of orders over a connection that each of these breaks.
  await using neighbour = await lab.connect("listener");
  const stop = new AbortController();
  const heard = new Set<number>();
  const following = (async () => {
    const bus = createListenerBus(neighbour, testHosts.listener);
    for await (const { sequence } of bus.followOrders(stop.signal)) heard.add(sequence);
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) scenario.wrong(`a listener elsewhere ended: ${String(error)}`);
  });
  await using operating = await lab.connect("operator");
  const operator = createDeployBus(operating);

  /** It is heard elsewhere as before. */
  async function expectHeard(when: string): Promise<void> {
    const signal = AbortSignal.timeout(60_000);
    const newest = await operator.newestOrder(testHosts.listener, signal);
    const bytes = new TextEncoder().encode(`{"when":"${when}"}`);
    if (!(await operator.putOrder(testHosts.listener, bytes, newest?.sequence ?? 0, signal))) {
      return scenario.wrong(`${when}: no order could be stored`);
    }
    const stored = (await operator.newestOrder(testHosts.listener, signal))?.sequence ?? 0;
    const until = performance.now() + 60_000;
    while (!heard.has(stored) && performance.now() < until) await new Promise((done) => setTimeout(done, 50));
    if (!heard.has(stored)) scenario.wrong(`${when}: a listener elsewhere does not hear of orders any more`);
  }

  for (const [name, outcome, code] of [
    ["NATS restarted", "completed", undefined],
    ["cache restarted", "completed", undefined],
    ["both restarted", "completed", undefined],
    ["NATS with a broken configuration", "rolled-back", "UNHEALTHY"],
    ["cache without its directory", "rolled-back", "UNHEALTHY"],
    ["NATS on another port", "rolled-back", "UNCONFIRMED"],
    ["last", "completed", undefined],
  ] as const) {
    await scenario.deploy(name, outcome, code);
    await expectHeard(name);
    say(`the host that serves the fleet: ${name}`);
  }
  stop.abort();
  await following;
  return scenario.faults;
}
