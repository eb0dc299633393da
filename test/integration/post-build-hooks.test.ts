// A `post-build-hook` that fails, with real Nix and the command line as people run it.
import { join } from "node:path";
import { readFile } from "node:fs/promises";
import { expect } from "vitest";
import { createLocalLab, flakeOf, test, type LocalLab } from "../support/local-lab.ts";

const chain = flakeOf(`let
  kernel = derive "linux" { };
  libc = derive "glibc" { dep = kernel; };
in {
  web = host "web" { dep = derive "systemd" { dep = libc; }; };
  db = host "db" { dep = kernel; };
  alone = host "alone" { };
}`);

/** A hook that fails for the derivations that match, and notes for which it ran. */
async function hookFor(lab: LocalLab, pattern: string, failing = "exit 7"): Promise<void> {
  const log = join(lab.directory, "hook.log");
  const script = [
    `echo "$DRV_PATH" >> ${log}`,
    `case "$DRV_PATH" in ${pattern}) echo "attic: 503 Service Unavailable" >&2; ${failing};; esac`,
  ];
  await lab.configureNix(`post-build-hook = ${await lab.script("hook.sh", script.join("\n"))}`);
}

const countOf = (events: readonly { readonly type: string }[], type: string): number =>
  events.filter((event) => event.type === type).length;

test.for([
  [
    "of a dependency that two hosts share",
    "*-linux.drv",
    ["linux"],
    { web: "infra-failed", db: "infra-failed", alone: "built" },
  ],
  [
    "in the middle of a chain",
    "*-glibc.drv",
    ["glibc"],
    { web: "infra-failed", db: "built", alone: "built" },
  ],
  [
    "of a toplevel",
    "*-nixos-system-db.drv",
    ["nixos-system-db"],
    { web: "built", db: "infra-failed", alone: "built" },
  ],
  [
    "of everything",
    "*",
    ["glibc", "linux", "nixos-system-alone", "nixos-system-db", "nixos-system-web", "systemd"],
    { web: "infra-failed", db: "infra-failed", alone: "infra-failed" },
  ],
] as const)("a hook that fails: %s", async ([, pattern, failing, verdicts], { lab }) => {
  await lab.commit({ "flake.nix": chain });
  await hookFor(lab, pattern);
  const first = await lab.build();

  expect(first.verdicts).toEqual(verdicts);
  expect(first.exitCode).toBe(3);
  expect(countOf(first.events, "retrying")).toBe(0);
  expect(first.state.failures.map(({ name }) => name).toSorted()).toEqual(failing);
  for (const { kind, reason, tail } of first.state.failures) {
    expect(kind).toBe("infra");
    expect(reason).toMatch(/^built, but its post-build-hook failed: .*hook\.sh failed with exit code 7$/);
    expect(tail).toEqual(["attic: 503 Service Unavailable"]);
  }
  // Every derivation was built once, and its hook ran once.
  const ran = (await readFile(join(lab.directory, "hook.log"), "utf8")).trim().split("\n");
  expect(ran).toHaveLength(6);
  expect(new Set(ran).size).toBe(6);

  const second = await lab.build();
  expect(second.verdicts).toEqual({ web: "unchanged", db: "unchanged", alone: "unchanged" });
  expect(second.state.warnings.join("\n")).toMatch(/^the post-build-hook of .* failed in an earlier build/);
});

test("a host that fails by itself is told of that, whatever hooks do", async ({ lab }) => {
  await lab.commit({
    "flake.nix": flakeOf(`{
      bad = host "bad" { args = [ "-c" "exit 4" ]; };
      web = host "web" { dep = derive "linux" { }; };
    }`),
  });
  await hookFor(lab, "*-linux.drv");
  const { verdicts, reasons, exitCode } = await lab.build();
  expect(verdicts).toEqual({ bad: "build-failed", web: "infra-failed" });
  expect(reasons).toMatchObject({ bad: expect.stringContaining("exit code 4") as string });
  expect(exitCode).toBe(1);
});

test("what a failing hook interrupts is built by the next process, without an attempt", async ({ lab }) => {
  await lab.commit({
    "flake.nix": flakeOf(`{
      slow = host "slow" { args = [ "-c" "sleep 3; echo slow > $out" ]; };
      web = host "web" { dep = derive "linux" { args = [ "-c" "sleep 1; echo linux > $out" ]; }; };
    }`),
  });
  await hookFor(lab, "*-linux.drv");
  const { verdicts, events } = await lab.build();
  expect(verdicts).toEqual({ slow: "built", web: "infra-failed" });
  expect(countOf(events, "retrying")).toBe(0);
});

test("a hook that hangs is ended after the time that a build may be silent", async () => {
  await using lab = await createLocalLab({
    build: { minFreeGiB: 0, timeoutSeconds: 600, silenceSeconds: 3 },
  });
  await lab.commit({ "flake.nix": chain });
  await hookFor(lab, "*-glibc.drv", "sleep 600");
  const { verdicts, state } = await lab.build();
  expect(verdicts).toEqual({ web: "infra-failed", db: "built", alone: "built" });
  expect(state.failures).toMatchObject([
    {
      name: "glibc",
      reason: expect.stringContaining("it ran for 3 seconds without output, and was ended") as string,
    },
  ]);
});

test("a hook that succeeds is nobody's trouble", async ({ lab }) => {
  await lab.commit({ "flake.nix": chain });
  await hookFor(lab, "nothing");
  const { verdicts, exitCode, state } = await lab.build();
  expect(verdicts).toEqual({ web: "built", db: "built", alone: "built" });
  expect([exitCode, state.failures, state.warnings]).toEqual([0, [], []]);
});
