import { describe, expect, test } from "vitest";
import type { StorePath } from "../../protocol/names.ts";
import { machineName } from "../../protocol/machine-name.ts";
import { claimAbout, type MachineReports } from "./machine-claims.ts";
import { createMachineReports } from "./machine-reports.ts";
import type { NixActivity } from "../realiser.ts";

const uri = "ssh://arm1";
const drv = (name: string): StorePath => `/nix/store/${"a".repeat(32)}-${name}.drv` as StorePath;
const started = (name: string, machine: string | undefined = uri): NixActivity => ({
  type: "derivation-started",
  drvPath: drv(name),
  ...(machine === "" ? {} : { machine }),
});
const said = (text: string, more: object = {}): NixActivity => ({
  type: "message",
  message: { level: 0, text, authentic: false, ...more },
});
const claimed = (name: string, how: string): NixActivity =>
  said(`error: build of '${drv(name)}' on '${uri}' failed: ${how}`);
const exited = (name: string, exitCode: number): string =>
  `builder for '${drv(name)}' failed with exit code ${exitCode}`;

function read(...activities: readonly NixActivity[]): MachineReports {
  const reports = createMachineReports();
  for (const activity of activities) reports.take(activity);
  return reports.read();
}

test.each([
  ["ssh", "'nix-store --serve' protocol mismatch from 'arm1', got 'Welcome to arm1\nRT'"],
  [
    "ssh-ng",
    "cannot open connection to remote store 'ssh-ng://arm1': error: protocol mismatch, got 'Welcome to arm1\noixd'",
  ],
])("a machine that greets where Nix is to speak is refused for that, over %s", (_, why) => {
  const { refusals } = read(said(`cannot build on '${uri}': error: ${why}`));
  expect(refusals.get(uri)).toMatch(/protocol mismatch.*, got 'Welcome to arm1$/);
});

describe("how a build on a machine ended", () => {
  test.each([
    ["2.8", exited("a", 3)],
    [
      "2.34",
      `Cannot build '${drv("a")}'.\n       Reason: builder failed with exit code 3.\n       Output paths:`,
    ],
  ])("is what Nix on that machine says, as in %s", (_, how) => {
    const { claims } = read(started("a"), claimed("a", how));
    expect(claims.get(drv("a"))?.failed).toMatchObject({
      machine: uri,
      end: { type: "exit-code", exitCode: 3 },
      reason: "builder failed with exit code 3",
    });
  });

  test.each([
    [
      "a full disk",
      `${exited("a", 1)}\n       note: build failure may have been caused by lack of free disk space`,
    ],
    ["a signal that only a kernel sends", `builder for '${drv("a")}' failed due to signal 9 (Killed)`],
    ["a daemon that is gone", "unexpected end-of-file"],
  ])("is excused by %s", (_, how) => {
    expect(read(started("a"), claimed("a", how)).claims.get(drv("a"))).toMatchObject({ excused: {} });
  });

  test("is not excused by what the builder wrote to its log", () => {
    const how = `${exited("a", 1)};\n       last 1 log lines:\n       > No space left on device`;
    expect(read(started("a"), claimed("a", how)).claims.get(drv("a"))?.excused).toBeUndefined();
  });

  test("is nothing for what was built here", () => {
    expect(read(started("a", ""), claimed("a", exited("a", 3))).claims).toEqual(new Map());
  });

  test("is unknown where only the connection's end is told", () => {
    const { claims, others } = read(started("a"), said("error: unexpected end-of-file"));
    expect([claims.get(drv("a")), others]).toEqual([{}, ["unexpected end-of-file"]]);
  });
});

describe("what is believed", () => {
  const failed = read(started("a"), claimed("a", exited("a", 3))).claims.get(drv("a"))?.failed;
  const excused = read(started("a"), claimed("a", "broken pipe")).claims.get(drv("a"))?.excused;

  test("is the only thing said", () => {
    expect(claimAbout({ failed }, [], false)).toBe(failed);
    expect(claimAbout({ excused }, ["broken pipe"], false)).toBe(excused);
    expect(claimAbout({}, ["broken pipe"], false)).toBeUndefined();
  });

  test("is not an excuse beside a failure: a builder can print one", () => {
    expect(claimAbout({ failed, excused }, [], true)).toBe(failed);
    expect(claimAbout({ failed, excused }, [], false)).toBe("contested");
  });

  test("is nothing where another build may have accused one that was lost", () => {
    expect(claimAbout({ failed }, ["unexpected end-of-file"], false)).toBe("contested");
    expect(claimAbout({ failed }, ["unexpected end-of-file"], true)).toBe(failed);
  });

  test("stays in bounds, whatever a builder prints", () => {
    const noise = Array.from({ length: 1000 }, (_, index) => [
      said(`error: noise ${index}`),
      claimed(`x${index}`, "noise"),
      said(`cannot build on 'ssh://m${index}': error: no`),
    ]).flat();
    const reports = read(started("a"), claimed("a", exited("a", 3)), ...noise);
    expect(reports.claims.size).toBe(1);
    expect(reports.claims.get(drv("a"))?.failed).toBeDefined();
    expect(reports.others).toHaveLength(5);
    expect(reports.refusals.size).toBe(100);
  });
});

test("why a machine cannot be used is in the words of ssh, wherever they stand", () => {
  const noRoute = "ssh: connect to host arm1 port 22: No route to host";
  const direct = read(said(`cannot build on '${uri}': error: cannot connect to 'arm1': ${noRoute}`));
  expect(direct.refusals).toEqual(new Map([[uri, noRoute]]));
  const behind = read(
    said(noRoute, { level: 3, foreign: true }),
    said(
      `cannot build on 'ssh-ng://arm1': error: cannot open connection to remote store 'ssh-ng://arm1': error: unexpected end-of-file`,
    ),
  );
  expect(behind.refusals).toEqual(new Map([["ssh-ng://arm1", noRoute]]));
  const several = read(
    said(
      `cannot build on '${uri}': error: cannot connect to 'arm1': bash: warning\nHost key verification failed.`,
    ),
  );
  expect(several.refusals).toEqual(new Map([[uri, "Host key verification failed."]]));
});

test("a machine's name has neither settings nor passwords", () => {
  expect(machineName("ssh://arm1?ssh-key=/etc/key&remote-program=x")).toBe("ssh://arm1");
  expect(machineName("https://u:p@cache.lan")).toBe("https://cache.lan");
});
