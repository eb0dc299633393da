// Real logs of builds on remote builders, and of what Nix refuses, from 2.8, 2.26 and 2.34: see
// test/support/capture-fault-logs.ts.
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { derivationName } from "../../protocol/store-paths/derivation-name.ts";
import { createActivityLog } from "./activity-log.ts";
import { type FailureMessage, readFailureMessage } from "./failure-message.ts";
import { machineName } from "../../protocol/machine-name.ts";
import type { MachineReports } from "./machine-claims.ts";
import { createMachineReports } from "./machine-reports.ts";

const logs = join(import.meta.dirname, "../../../test/fixtures/nix-logs");

interface Told {
  readonly reports: MachineReports;
  /** What Nix here said itself. */
  readonly said: readonly FailureMessage[];
}

function read(file: string): Told {
  const machines = createMachineReports();
  const said: FailureMessage[] = [];
  const log = createActivityLog((activity) => {
    machines.take(activity);
    if (activity.type !== "message" || activity.message.level > 0 || !activity.message.authentic) return;
    const message = readFailureMessage(activity.message.text);
    if (message !== undefined && message.machine === undefined) said.push(message);
  });
  for (const line of readFileSync(file, "utf8").split("\n")) log.line(line);
  return { reports: machines.read(), said };
}

/** Each capture of this scenario, of every version and protocol. */
const capturesOf = (scenario: string): string[] =>
  globSync(join(logs, `*/${scenario}{,_ng}.log`)).filter((file) => file.includes("our_"));

const claimsIn = ({ reports }: Told): Record<string, string> =>
  Object.fromEntries(
    [...reports.claims].map(([drvPath, { failed, excused }]) => [
      derivationName(drvPath).replace("nixos-system-", ""),
      `${failed === undefined ? "" : `failed: ${failed.reason}`}${excused === undefined ? "" : `excused: ${excused.reason}`}`,
    ]),
  );

test("there are captures of three versions, over both protocols", () => {
  expect(capturesOf("our_remote_dies")).toHaveLength(6);
  expect(capturesOf("our_refused")).toHaveLength(3);
});

describe("a remote builder", () => {
  test.each(capturesOf("our_remote_down"))("that does not answer: %s", (file) => {
    const { reports } = read(file);
    const refusals = [...reports.refusals].map(([uri, why]) => [machineName(uri), why]);
    const uri = basename(file).includes("_ng") ? "ssh-ng://arm1" : "ssh://arm1";
    expect(refusals).toEqual([[uri, "ssh: connect to host arm1 port 22: No route to host"]]);
  });

  test.each(capturesOf("our_remote_dies"))("that dies says nothing of its build: %s", (file) => {
    const told = read(file);
    expect(claimsIn(told)).toEqual({ pi: "" });
    expect(told.reports.others.at(-1)).toMatch(/unexpected end-of-file|disconnected unexpectedly/);
    // All that Nix here reports is how its hook ended.
    expect(told.said).toMatchObject([{ end: { type: "exit-code", exitCode: 1 } }]);
  });

  test.each(capturesOf("our_remote_full"))("whose disk is full: %s", (file) => {
    const told = read(file);
    expect(claimsIn(told)).toEqual({ fills: "excused: builder failed with exit code 1" });
    expect([...told.reports.claims.values()]).toMatchObject([{ excused: { diskFull: true } }]);
  });

  test.each(capturesOf("our_remote_fails"))("that is well: %s", (file) => {
    expect(claimsIn(read(file))).toEqual({ pi: "", pibad: "failed: builder failed with exit code 3" });
  });

  test.each(capturesOf("our_remote_judged"))("judges outputs: %s", (file) => {
    const claims = claimsIn(read(file));
    expect(claims).toMatchObject({
      noout: "failed: builder failed to produce the output 'out'",
      disallowed:
        "failed: output 'nixos-system-disallowed' is not allowed to refer to the following paths: nixos-system-dep",
      hash: expect.stringMatching(/^failed: hash mismatch: specified sha256-\S+, got sha256-\S+$/) as unknown,
      killed: "excused: builder failed due to signal 9 (Killed)",
      // Whatever it printed.
      liar: expect.stringMatching(/^failed: builder failed with exit code 4$/) as unknown,
    });
  });
});

describe("what Nix refuses", () => {
  test.each(capturesOf("our_refused"))("is its own judgement: %s", (file) => {
    const { said } = read(file);
    expect(said.map(({ end }) => end.type)).toEqual(said.map(() => "rejected"));
    const about = [
      "maxsize",
      "disallowed",
      "nosuchoutput",
      "perms",
      "regular file",
      "fixedrefs|hash mismatch",
      "dev",
    ];
    for (const words of about) {
      expect(said.map(({ reason }) => reason)).toContainEqual(expect.stringMatching(words));
    }
  });

  test.each(capturesOf("our_refused_and_ended"))("can end the process: %s", (file) => {
    expect(read(file).said).toMatchObject([
      {
        end: { type: "rejected" },
        drvPath: undefined,
        paths: [expect.stringMatching(/^\/nix\/store\/.*-nixos-system-fifo\/x$/)],
      },
    ]);
  });
});
