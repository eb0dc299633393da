import { rename } from "node:fs/promises";
import { expect, test as base } from "vitest";
import { foldEvents, type BuildState } from "../../src/protocol/build-state.ts";
import { decodeEvent } from "../../src/protocol/events.ts";
import { parseBuildId } from "../../src/protocol/names.ts";
import { freePort } from "../support/free-port.ts";
import { startHomelab, type CommandResult } from "../support/start-homelab.ts";

const test = base.extend("homelab", { scope: "file" }, async ({}, { onCleanup }) => {
  const homelab = await startHomelab();
  onCleanup(() => homelab[Symbol.asyncDispose]());
  return homelab;
});

function stateOf({ stdout }: CommandResult): BuildState {
  const events = stdout
    .trim()
    .split("\n")
    .map((line) => decodeEvent(new TextEncoder().encode(line)));
  return foldEvents(events[0]?.build ?? parseBuildId(""), events);
}

test("a git remote that is gone is no host's fault, and works again when it is back", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 2, salt: "remote" });
  await homelab.startBuilder("builder1", { retry: { attempts: 2, firstDelaySeconds: 0 } });
  await rename(homelab.fleet.bare, `${homelab.fleet.bare}.away`);
  const away = await homelab.run(["build", "--all"]);
  await rename(`${homelab.fleet.bare}.away`, homelab.fleet.bare);
  expect(away.exitCode).toBe(3);
  expect(away.stdout + away.stderr).toContain("fleet");
  expect((await homelab.run(["build", "--all"])).exitCode).toBe(0);
});

test("derivations that take too long or say nothing for too long end as timed out", async ({ homelab }) => {
  await homelab.stopAll();
  await homelab.fleet.commit({ hosts: 3, salt: "time", buildFail: { host01: "chatty", host02: "silent" } });
  await homelab.startBuilder("builder1", { build: { timeoutSeconds: 6, silenceSeconds: 2 } });
  const result = await homelab.run(["build", "--all", "--json"]);
  expect(result.exitCode).toBe(1);
  const verdicts = [...stateOf(result).hosts.values()].map((host) => [host.host, host.finished?.verdict]);
  expect(verdicts).toEqual([
    ["host01", "timed-out"],
    ["host02", "timed-out"],
    ["host03", "built"],
  ]);
});

test("a live builder's metrics know the hosts and their results", async ({ homelab }) => {
  await homelab.stopAll();
  await homelab.fleet.commit({ hosts: 2, salt: "metrics", buildFail: { host02: "exit1" } });
  const listen = `127.0.0.1:${await freePort()}`;
  await homelab.startBuilder("builder1", {}, { metrics: { listen } });
  const scrape = async (): Promise<string> => (await fetch(`http://${listen}/metrics`)).text();
  expect(await scrape()).toMatch(/homelab_deploy_build_info\{[^}]*component="builder"/);
  await homelab.run(["build", "--all"]);
  const text = await scrape();
  expect(text).toMatch(
    /homelab_deploy_builds_total\{repo="fleet",host="host01",trigger="manual",result="built"\} 1/,
  );
  expect(text).toMatch(
    /homelab_deploy_builds_total\{repo="fleet",host="host02",trigger="manual",result="build-failed"\} 1/,
  );
  expect(text).toMatch(/homelab_deploy_host_last_build_success\{repo="fleet",host="host02"\} 0/);
  expect(text).toMatch(/homelab_deploy_nats_connected 1/);
});

test("a state directory that cannot be is said at the start", async ({ homelab }) => {
  await homelab.stopAll();
  const started = homelab.startBuilder("builder1", { stateDirectory: "/proc/homelab-deploy/state" });
  await expect(started).rejects.toThrow(
    /error: this user cannot keep files in \/proc\/homelab-deploy\/state/,
  );
});

test("a name and a key that do not fit are named", async ({ homelab }) => {
  await homelab.stopAll();
  await expect(homelab.startBuilder("builder1", { name: "cache-02" })).rejects.toThrow(
    /this builder is called cache-02, and its NATS key is that of the builder b1/,
  );
});
