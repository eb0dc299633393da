import { describe, expect, test } from "vitest";
import { decideFailure, type FailureFacts } from "./decide-failure.ts";
import { type FailureMessage, readFailureMessage } from "./failure-message.ts";
import { noReports } from "./machine-reports.ts";

const drv = "/nix/store/w9sgi6bq7qx3diwagw96bmppim34572a-linux-6.18.drv";

function messages(...texts: readonly string[]): FailureMessage[] {
  return texts.map((text) => {
    const message = readFailureMessage(text);
    if (message === undefined) throw new Error(`not an error of its own: ${text}`);
    return message;
  });
}

const facts = (some: Partial<FailureFacts>): FailureFacts => ({
  name: "linux-6.18",
  started: { durationMs: 10_000, silentMs: 100, phase: "buildPhase" },
  said: [],
  saidInGeneral: [],
  process: { exitCode: 100, killedBy: undefined, outOfMemoryKills: 0 },
  limits: { timeoutSeconds: 3600, silenceSeconds: 600 },
  unsupportedSystem: undefined,
  storeFull: false,
  saidOfOthers: false,
  machines: [],
  ownSystem: true,
  claims: {},
  reports: noReports,
  role: "other",
  ...some,
});
const exited = messages(`builder for '${drv}' failed with exit code 2`);
const killed = messages(`builder for '${drv}' failed due to signal 9 (Killed)`);
const outOfMemory = { exitCode: 100, killedBy: undefined, outOfMemoryKills: 1 };

describe("its own fault", () => {
  test("is what Nix reports of its builder", () => {
    expect(decideFailure(facts({ said: exited }))).toEqual({
      kind: "failed",
      name: "linux-6.18",
      reason: "builder failed with exit code 2",
      exitCode: 2,
      phase: "buildPhase",
    });
  });

  test("is also what the exit code of Nix hides: without an output it is 1, as through the daemon", () => {
    const process = { exitCode: 1, killedBy: undefined, outOfMemoryKills: 0 };
    const said = messages(`builder for '${drv}' failed to produce output path for output 'out' at '/x'`);
    expect(decideFailure(facts({ said, process })).kind).toBe("failed");
    expect(decideFailure(facts({ said: exited, process })).kind).toBe("failed");
  });

  test("is a signal, unless the kernel was short of memory", () => {
    expect(decideFailure(facts({ said: killed })).kind).toBe("failed");
  });

  test("is an error while something else was killed for lack of memory", () => {
    expect(decideFailure(facts({ said: exited, process: outOfMemory })).kind).toBe("failed");
  });

  test("stays its own however Nix ended later", () => {
    const process = { exitCode: undefined, killedBy: "SIGKILL", outOfMemoryKills: 0 };
    expect(decideFailure(facts({ said: exited, process })).kind).toBe("failed");
  });
});

describe("a timeout", () => {
  const long = { durationMs: 3600_050, silentMs: 20 };
  const silent = { durationMs: 700_000, silentMs: 600_010 };
  const unnamed = messages("timed out after 600 seconds");

  test("is what Nix says it is, where it says of what", () => {
    expect(
      decideFailure(
        facts({ said: messages(`building of '${drv}!*' from .drv file timed out after 3600 seconds`) }),
      ),
    ).toMatchObject({ kind: "timed-out", reason: "timed out after 3600 seconds" });
    expect(
      decideFailure(
        facts({
          said: messages(`building of '${drv}^*' from .drv file timed out after 600 seconds of silence`),
        }),
      ),
    ).toMatchObject({ kind: "timed-out", reason: "timed out after 600 seconds without output" });
  });

  test("that names nothing is that of a build which reached a limit", () => {
    const saidInGeneral = unnamed;
    expect(decideFailure(facts({ started: long, saidInGeneral }))).toMatchObject({
      kind: "timed-out",
      reason: "timed out after 3600 seconds",
    });
    expect(decideFailure(facts({ started: silent, saidInGeneral }))).toMatchObject({
      kind: "timed-out",
      reason: "timed out after 600 seconds without output",
    });
    expect(decideFailure(facts({ saidInGeneral })).kind).toBe("infra");
  });

  test("is in the exit code as well, alone or with other failures", () => {
    const process = (exitCode: number): FailureFacts["process"] => ({
      exitCode,
      killedBy: undefined,
      outOfMemoryKills: 0,
    });
    expect(decideFailure(facts({ started: long, process: process(101) })).kind).toBe("timed-out");
    expect(decideFailure(facts({ started: long, process: process(103) })).kind).toBe("timed-out");
    expect(decideFailure(facts({ started: long, process: process(100) })).kind).toBe("infra");
    expect(decideFailure(facts({ started: long, process: process(1) })).kind).toBe("infra");
  });

  test("is none for a build that failed by itself, however long it took", () => {
    expect(decideFailure(facts({ started: long, said: exited, saidInGeneral: unnamed })).kind).toBe("failed");
  });

  test("is none where there is no limit", () => {
    const limits = { timeoutSeconds: 0, silenceSeconds: 0 };
    expect(decideFailure(facts({ started: long, saidInGeneral: unnamed, limits })).kind).toBe("infra");
  });
});

describe("the infrastructure's fault", () => {
  test.each([
    ["SIGKILL", killed],
    ["a child of the builder that SIGKILL ended", messages(`builder for '${drv}' failed with exit code 137`)],
  ])("is %s while the kernel was short of memory", (_, said) => {
    expect(decideFailure(facts({ said, process: outOfMemory }))).toMatchObject({
      kind: "infra",
      reason: expect.stringMatching(/^killed for lack of memory \(builder failed /),
    });
  });

  test.each([
    [
      "Nix notes it",
      {
        said: messages(
          `builder for '${drv}' failed with exit code 1;\nnote: build failure may have been caused by lack of free disk space`,
        ),
      },
    ],
    [
      "Nix cannot write",
      { said: exited, saidInGeneral: messages("writing to file: No space left on device") },
    ],
    ["there is no room in the store", { said: exited, storeFull: true }],
  ])("is a full disk: %s", (_, some) => {
    expect(decideFailure(facts(some))).toMatchObject({
      kind: "infra",
      reason: expect.stringMatching(/^the disk is full/),
    });
  });

  test("is a build whose Nix was ended", () => {
    const process = { exitCode: undefined, killedBy: "SIGKILL", outOfMemoryKills: 0 };
    expect(decideFailure(facts({ process }))).toMatchObject({
      kind: "infra",
      reason: "its build gave no result: Nix was ended by SIGKILL",
    });
  });

  test("is a build that Nix gave up, in the words of Nix", () => {
    const process = { exitCode: 1, killedBy: undefined, outOfMemoryKills: 0 };
    const saidInGeneral = messages("error: interrupted by the user");
    expect(decideFailure(facts({ process, saidInGeneral }))).toMatchObject({
      kind: "infra",
      reason: "its build gave no result: interrupted by the user",
    });
  });

  test("is an output that is gone again", () => {
    const process = { exitCode: 0, killedBy: undefined, outOfMemoryKills: 0 };
    expect(decideFailure(facts({ process }))).toMatchObject({ kind: "infra" });
  });

  test("is what never began to build, with the reason that Nix has", () => {
    expect(decideFailure(facts({ started: undefined }))).toMatchObject({
      kind: "infra",
      reason: "it was neither built nor fetched: Nix ended with exit code 100",
    });
    const saidInGeneral = messages("error: unable to download 'http://cache/x.nar': HTTP error 500");
    expect(decideFailure(facts({ started: undefined, saidInGeneral })).reason).toContain("HTTP error 500");
    const said = messages(`some substitutes for the outputs of derivation '${drv}' failed`);
    expect(decideFailure(facts({ started: undefined, said }))).toMatchObject({
      kind: "infra",
      reason: "some substitutes for the outputs of derivation 'linux-6.18' failed",
    });
  });

  test("is a builder that Nix could not run", () => {
    const said = messages(`while setting up the build environment of '${drv}'`);
    expect(decideFailure(facts({ said })).kind).toBe("infra");
  });
});

test("a derivation that nothing here can build is neither's fault, whether Nix came to say so or not", () => {
  expect(decideFailure(facts({ started: undefined, unsupportedSystem: "riscv64-linux" }))).toEqual({
    kind: "no-builder",
    name: "linux-6.18",
    reason: "no builder for 'riscv64-linux'",
  });
  expect(decideFailure(facts({ said: exited, unsupportedSystem: "riscv64-linux" })).kind).toBe("failed");
  const said = messages(
    `a 'aarch64-linux' with features {} is required to build '${drv}', but I am a 'x86_64-linux' with features {}`,
  );
  expect(decideFailure(facts({ started: undefined, said }))).toEqual({
    kind: "no-builder",
    name: "linux-6.18",
    reason: "no builder for 'aarch64-linux'",
  });
});
