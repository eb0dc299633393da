import { expect } from "vitest";
import { test } from "../support/homelab.ts";

test("logs of a host, of failures, of a derivation, and their ends", async ({ homelab }) => {
  await homelab.fleet.commit({
    hosts: 3,
    salt: "logs",
    shared: 1,
    sharedSeconds: 2,
    perHostDrvs: 1,
    logLines: 5,
    buildFail: { host02: "exit1" },
  });
  // With one evaluator all hosts are ready together, so that all of them wait for what they share.
  await homelab.startBuilder("builder1", { evaluation: { workers: 1 } });
  expect((await homelab.run(["build", "--all", "-q"])).exitCode).toBe(1);
  const logs = async (...args: readonly string[]): Promise<readonly [string, string]> => {
    const { exitCode, stdout, stderr } = await homelab.run(["logs", "last", ...args]);
    expect(exitCode, stderr).toBe(0);
    return [stdout, stderr];
  };

  const [ofHost] = await logs("host01");
  expect(ofHost).toContain("log line 4 of shared-1\n");
  expect(ofHost).toContain("log line 4 of host01-pkg-1\n");
  expect(ofHost).not.toMatch(/host0[23]/);
  const [ofFailed, titles] = await logs("--failed", "--tail", "2");
  expect(ofFailed).toMatch(/^log line 4 of nixos-system-host02.*\nE: compile error in foo.c:12\n$/);
  expect(titles).toMatch(/^nixos-system-host02/);
  expect((await logs("--drv", "shared", "--tail", "1"))[0]).toBe("log line 4 of shared-1\n");
  expect((await logs("host01", "--failed"))[1]).toContain("No derivation that host01 needs failed");

  expect((await homelab.run(["build", "host01", "-q"])).exitCode).toBe(0);
  expect(await logs("host01")).toEqual(["", expect.stringContaining("was there already")]);
});

test("what was built before has its usual duration the next time, in another version too", async ({
  homelab,
}) => {
  const builds = { hosts: 1, shared: 1, sharedSeconds: 2 };
  await homelab.startBuilder();
  for (const salt of ["usual1", "usual2"]) {
    await homelab.fleet.commit({ ...builds, salt });
    expect((await homelab.run(["build", "host01", "-q"])).exitCode).toBe(0);
    await homelab.stopAll();
    await homelab.startBuilder();
  }
  await homelab.fleet.commit({ ...builds, salt: "usual3" });
  const { stderr } = await homelab.run(["build", "host01", "-v", "--output", "plain"]);
  expect(stderr).toMatch(/building shared-1 \(usually 2s\)/);
});

test("of a build that still runs it is said that it does", async ({ homelab }) => {
  await homelab.fleet.commit({ hosts: 1, salt: "running", buildFail: { host01: "chatty" } });
  await homelab.startBuilder();
  expect((await homelab.run(["build", "host01", "--detach"])).exitCode).toBe(0);
  await expect
    .poll(async () => (await homelab.run(["logs", "last"])).stderr, { timeout: 60_000 })
    .toMatch(/still runs; .* Follow it: homelab-deploy logs [0-9A-Z]{26} --follow\n$/);
  expect((await homelab.run(["builds", "cancel", "last"])).exitCode).toBe(0);
});
