// What a builder that polls tells Prometheus of the inputs of a real flake.
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { runBuilder } from "../../src/build/builder.ts";
import { createMemoryBus } from "../../src/bus/memory-bus.ts";
import { composeBuilder } from "../../src/cli/compose-builder.ts";
import { startMetrics } from "../../src/cli/start-metrics.ts";
import { parseConfig } from "../../src/config/load.ts";
import { freePort } from "../support/free-port.ts";
import { createUpdateLab } from "../support/update-lab.ts";

test("the age of every pinned input is known once a build of the branch is accepted, and after a restart", async () => {
  await using lab = await createUpdateLab(["host01"]);
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
  const [clock, log, bus] = [systemClock, silentLog, createMemoryBus(systemClock)];
  const seconds = await lab.git("-C", join(lab.directory, "alpha"), "log", "-1", "--format=%ct");
  async function expectInputs(): Promise<void> {
    const scrape = async (): Promise<string> => (await fetch(`http://${listen}/metrics`)).text();
    const name = "homelab_deploy_flake_input_last_modified_timestamp_seconds";
    const line = `${name}{repo="fleet",input="alpha"} ${seconds}\n`;
    await expect.poll(scrape, { timeout: 20_000 }).toContain(line);
  }

  for (const isRestarted of [false, true]) {
    const stopped = new AbortController();
    const composed = await composeBuilder({ config, environment, clock, log }, stopped.signal);
    await using metrics = await startMetrics({ config, composed, environment, bus, log, clock });
    // The second time nothing is built: what is known comes from the events of before.
    if (isRestarted) await expectInputs();
    else {
      const building = runBuilder({ ...composed, ...metrics, bus, stopMs: 0 }, stopped.signal);
      await expectInputs();
      stopped.abort(new Error("the test ends"));
      await building;
    }
  }
});
