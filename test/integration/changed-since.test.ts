import { expect } from "vitest";
import { test } from "../support/homelab.ts";

test("build --changed-since builds only hosts whose system differs", async ({ homelab }) => {
  const toggles = { hosts: 3, salt: "changed", buildFail: { host03: "exit1" } };
  const base = await homelab.fleet.commit(toggles);
  await homelab.startBuilder();
  const build = async (...more: readonly string[]) =>
    homelab.run(["build", "--all", "--changed-since", base, ...more]);

  // Another commit, and the same systems: host03 fails at both, and nobody looks at that.
  await homelab.fleet.commit(toggles, { files: { "README.md": "another commit" } });
  const same = await build();
  expect(same.stdout).toMatch(/no host of fleet at [0-9a-f]{7} differs from what it is at [0-9a-f]{7}/);
  expect(same.exitCode).toBe(0);

  await homelab.fleet.commit({ ...toggles, hosts: 4 });
  const added = await build();
  expect(added.exitCode).toBe(0);
  expect(added.stdout).toContain("1 host succeeded");
  expect(added.stdout).toMatch(/host03 .*its system is the same as at [0-9a-f]{7}/);

  await homelab.fleet.commit({ ...toggles, buildFail: { host02: "exit1", host03: "exit1" } });
  const broken = await build("--json");
  expect(broken.exitCode).toBe(1);
  const events = broken.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { type: string; hosts?: { host: string; verdict?: string }[] });
  expect(events.find(({ type }) => type === "accepted")).toMatchObject({
    changedSince: base,
    hosts: [{ host: "host02" }],
    skipped: [{ host: "host01" }, { host: "host03" }],
  });
  expect(events.filter(({ type }) => type === "hosts-finished").flatMap(({ hosts }) => hosts)).toMatchObject([
    { host: "host02", verdict: "build-failed" },
  ]);

  const unknown = await homelab.run(["build", "--all", "--changed-since", "1".repeat(40)]);
  expect(unknown.exitCode).toBe(2);
  expect(unknown.stdout + unknown.stderr).toContain("has no commit 1111111");
});
