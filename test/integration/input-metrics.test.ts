// What a builder that polls tells Prometheus of a real flake: its inputs, and all that alerts and dashboard name.
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { runBuilder } from "../../src/builder/builder.ts";
import type { BuilderBus } from "../../src/bus/bus.ts";
import { createMemoryBus } from "../../src/bus/memory-bus.ts";
import { composeBuilder } from "../../src/wiring/compose-builder.ts";
import { startMetrics } from "../../src/wiring/start-metrics.ts";
import { parseConfig } from "../../src/config/load.ts";
import { parseRepoName } from "../../src/protocol/names.ts";
import { allSelectors, missingIn } from "../infra/monitoring-files.ts";
import { scrapeOfDeployer } from "../support/scrape-of-deployer.ts";
import { scrapeOfHost } from "../support/scrape-of-host.ts";
import { freePort } from "../support/free-port.ts";
import { createUpdateLab } from "../support/update-lab.ts";

test("a builder serves what alerts and dashboard name, and the age of every input, also after a restart", async () => {
  await using lab = await createUpdateLab(["host01"]);
  // It has its series, and nothing to build: all hosts are of another system.
  await lab.store.configure("builders = ssh://arm1 aarch64-linux\n");
  const environment = { ...lab.store.environment, HOME: join(lab.store.directory, "home") };
  const listen = `127.0.0.1:${await freePort()}`;
  const { config } = parseConfig(
    JSON.stringify({
      repos: { fleet: { url: lab.url, branch: "master", pollSeconds: 10 } },
      builder: { name: "b1", stateDirectory: join(lab.directory, "builder") },
      metrics: { listen },
    }),
    "test",
  );
  const [clock, log] = [systemClock, silentLog];
  const bus: BuilderBus = {
    ...createMemoryBus(clock),
    async *followUpdates() {
      yield {
        repo: parseRepoName("fleet"),
        run: "1",
        outcome: "no-change",
        at: "2026-01-02T00:00:00Z",
        inputs: [],
        hosts: {},
        unavailable: [{ input: "gamma", reason: "it is down", runs: 3, needsPerson: true }],
        pullRequests: [{ number: 42, createdAt: "2026-01-01T00:00:00Z" }],
      };
    },
  };
  const scrape = async (): Promise<string> => (await fetch(`http://${listen}/metrics`)).text();
  const seconds = await lab.git("-C", join(lab.directory, "alpha"), "log", "-1", "--format=%ct");
  async function expectInputs(): Promise<void> {
    const name = "homelab_deploy_flake_input_last_modified_timestamp_seconds";
    const line = `${name}{repo="fleet",input="alpha"} ${seconds}\n`;
    await expect.poll(scrape, { timeout: 30_000 }).toContain(line);
  }
  async function expectAllThatIsWatched(): Promise<void> {
    const selectors = allSelectors();
    expect(selectors.length).toBeGreaterThan(30);
    // What hosts say comes from their listeners, and what is said of rollouts from the deployer.
    const others = (await scrapeOfHost()) + (await scrapeOfDeployer());
    expect(missingIn((await scrape()) + others, selectors)).toEqual([]);
  }

  for (const isRestarted of [false, true]) {
    const stopped = new AbortController();
    const composed = await composeBuilder({ config, environment, clock, log }, stopped.signal);
    await using metrics = await startMetrics({
      config,
      composed,
      environment,
      bus,
      log,
      bugs: () => 0,
      clock,
    });
    // The second time nothing is built: what is known comes from the events of before.
    if (isRestarted) await expectInputs();
    else {
      const building = runBuilder({ ...composed, ...metrics, bus, stopMs: 0 }, stopped.signal);
      await expectInputs();
      await expectAllThatIsWatched();
      stopped.abort(new Error("the test ends"));
      await building;
    }
  }
});
