import { describe, expect, test } from "vitest";
import { decideFailure, type FailureFacts } from "./decide-failure.ts";
import { type FailureMessage, readFailureMessage } from "./failure-message.ts";
import { noReports } from "./machine-claims.ts";

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
  requirements: { system: "x86_64-linux" },
  isForeign: false,
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
  const foreign = { requirements: { system: "riscv64-linux" }, isForeign: true, ownSystem: false };
  expect(decideFailure(facts({ ...foreign, started: undefined }))).toEqual({
    kind: "no-builder",
    name: "linux-6.18",
    reason: "no builder for 'riscv64-linux'",
    system: "riscv64-linux",
  });
  expect(decideFailure(facts({ ...foreign, said: exited })).kind).toBe("failed");
});

describe("a feature that nothing here has", () => {
  const kvm = {
    started: undefined,
    requirements: { system: "x86_64-linux", requiredFeatures: ["big-parallel", "kvm"] },
  };
  const noBuilder = {
    kind: "no-builder",
    name: "linux-6.18",
    reason: "no builder for 'x86_64-linux' with features {big-parallel, kvm}",
  };
  const disabled = messages(`Cannot build '${drv}'.\nReason: local builds are disabled (max-jobs = 0)`);
  const nothingStarts = messages(
    "unable to start any build; remote machines may not have all required system features.\nhttps://nixos.org/manual/nix/stable/advanced-topics/distributed-builds.html",
  );

  test.each([
    [
      "this machine",
      {
        said: messages(
          `a 'x86_64-linux' with features {big-parallel, kvm} is required to build '${drv}', but I am a 'x86_64-linux' with features {}`,
        ),
      },
    ],
    ["remote builders only", { ownSystem: false, said: disabled }],
    ["remote builders only, before 2.29", { ownSystem: false, saidInGeneral: nothingStarts }],
  ])("is neither's fault, with %s", (_, some) => {
    expect(decideFailure(facts({ ...kvm, ...some }))).toEqual(noBuilder);
  });

  test("is not what a machine lacks that did not take it", () => {
    const away = { ...kvm, ownSystem: false, machines: ["ssh://arm1"] };
    const expected = {
      kind: "infra",
      reason: "no answer from the remote builder ssh://arm1: did not take it",
    };
    expect(decideFailure(facts({ ...away, said: disabled }))).toMatchObject(expected);
    expect(decideFailure(facts({ ...away, saidInGeneral: nothingStarts }))).toMatchObject(expected);
  });

  test("says nothing of what was to be built here, or of how else Nix ended", () => {
    expect(decideFailure(facts({ ...kvm, saidInGeneral: nothingStarts })).kind).toBe("infra");
    const killedNix = { exitCode: undefined, killedBy: "SIGKILL", outOfMemoryKills: 0 };
    expect(decideFailure(facts({ ...kvm, ownSystem: false, process: killedNix })).kind).toBe("infra");
  });
});

test("a build hook that cannot read nix.conf is nobody's fault, and what it said is the reason", () => {
  const badRow =
    "bad machine specification: failed to convert column #3 in a row: 'ssh://m1 - - many' to 'unsigned int'";
  const saidInGeneral = messages(badRow, "unexpected EOF reading a line");
  expect(decideFailure(facts({ started: undefined, role: "alone", saidInGeneral }))).toMatchObject({
    kind: "infra",
    reason: `it was neither built nor fetched: ${badRow}`,
  });
});

describe("a build on a remote builder", () => {
  const uri = "ssh://arm1?ssh-key=/etc/key";
  const started = { durationMs: 10_000, silentMs: 100, machine: uri };
  const hookEnded = messages(`builder for '${drv}' failed with exit code 1`);
  const claim = (how: string): FailureMessage => {
    const [message] = messages(`error: build of '${drv}' on '${uri}' failed: ${how}`);
    if (message === undefined) throw new Error("no message");
    return message;
  };
  const there = (some: Partial<FailureFacts>) =>
    decideFailure(facts({ started, said: hookEnded, process: { ...outOfMemory, exitCode: 1 }, ...some }));
  const exit3 = claim(`builder for '${drv}' failed with exit code 3`);
  const lost = { ...noReports, others: ["unexpected end-of-file"] };

  test("is lost when only its hook's end is known", () => {
    expect(there({ reports: lost })).toMatchObject({
      kind: "infra",
      reason: "its build on ssh://arm1 was lost: unexpected end-of-file",
    });
    expect(there({})).toMatchObject({
      kind: "infra",
      reason: expect.stringContaining("was lost") as unknown,
    });
  });

  test("failed when Nix on that machine says so, with the exit code there", () => {
    expect(there({ claims: { failed: exit3 } })).toMatchObject({
      kind: "failed",
      reason: "builder failed with exit code 3",
      exitCode: 3,
    });
  });

  test("failed also when Nix here ended it: it wrote too much", () => {
    const said = messages(
      `building of '${drv}!out' killed after writing more than 20000 bytes of log output`,
    );
    expect(there({ said }).kind).toBe("failed");
  });

  test("timed out there", () => {
    const timedOut = claim(`building of '${drv}!out' from in-memory derivation timed out after 3600 seconds`);
    expect(there({ claims: { failed: timedOut } }).kind).toBe("timed-out");
  });

  test.each([
    [
      `builder for '${drv}' failed with exit code 1\n note: build failure may have been caused by lack of free disk space`,
      "the disk of ssh://arm1 is full (builder failed with exit code 1)",
    ],
    [
      `builder for '${drv}' failed due to signal 9 (Killed)`,
      "killed on ssh://arm1, as for lack of memory (builder failed due to signal 9 (Killed))",
    ],
    ["Nix daemon out of memory", "its build on ssh://arm1 was lost: Nix daemon out of memory"],
  ])("is excused by what is wrong with the machine: %s", (how, reason) => {
    expect(there({ claims: { excused: claim(how) } })).toMatchObject({ kind: "infra", reason });
  });

  test("is to be built apart where what is said of it contradicts itself", () => {
    expect(there({ claims: { failed: exit3 }, reports: lost }).kind).toBe("unclear");
    expect(there({ claims: { failed: exit3 }, reports: lost, role: "alone" }).kind).toBe("failed");
    expect(there({ claims: { failed: exit3, excused: claim("broken pipe") } }).kind).toBe("unclear");
  });
});

describe("a machine that does not answer", () => {
  const uri = "ssh://arm1";
  const reports = { ...noReports, refusals: new Map([[uri, "No route to host"]]) };
  const noBuilder = messages(
    `a 'aarch64-linux' with features {} is required to build '${drv}', but I am a 'x86_64-linux' with features {}`,
  );
  const away = { started: undefined, ownSystem: false, machines: [uri], reports };
  const noAnswer = {
    kind: "infra",
    name: "linux-6.18",
    reason: "no answer from the remote builder ssh://arm1: No route to host",
  };

  test("is a fault of the infrastructure, whether Nix came to say so or not", () => {
    expect(decideFailure(facts({ ...away, said: noBuilder }))).toEqual(noAnswer);
    expect(decideFailure(facts({ ...away }))).toEqual(noAnswer);
    expect(decideFailure(facts({ ...away, said: noBuilder, reports: noReports }))).toEqual({
      ...noAnswer,
      reason: "no answer from the remote builder ssh://arm1: did not take it",
    });
  });

  test("concerns nobody who can be built here", () => {
    expect(decideFailure(facts({ ...away, ownSystem: true })).reason).not.toContain("no answer");
  });
});

describe("an error that ended the whole process", () => {
  const process = { exitCode: 1, killedBy: undefined, outOfMemoryKills: 0 };
  const unnamed = messages("file '/nix/store/tmp-1/x' has an unsupported type");

  test("of another derivation only interrupted this one", () => {
    expect(decideFailure(facts({ process, saidOfOthers: true })).kind).toBe("interrupted");
    expect(decideFailure(facts({ process, saidOfOthers: true, started: undefined })).kind).toBe(
      "interrupted",
    );
  });

  test("of nobody in particular can be about any that was being built", () => {
    expect(decideFailure(facts({ process, saidInGeneral: unnamed, role: "suspect" })).kind).toBe("unclear");
  });

  test("is about the only one in its process", () => {
    expect(decideFailure(facts({ process, saidInGeneral: unnamed, role: "alone" }))).toMatchObject({
      kind: "failed",
      reason: "file '/nix/store/tmp-1/x' has an unsupported type",
    });
    const unknown = messages("something that no version says");
    expect(decideFailure(facts({ process, saidInGeneral: unknown, role: "alone" })).kind).toBe("failed");
    const notStarted = { process, saidInGeneral: unknown, role: "alone", started: undefined } as const;
    expect(decideFailure(facts(notStarted)).kind).toBe("infra");
  });

  test.each([
    ["the machine's fault", { saidInGeneral: messages("Nix daemon disconnected unexpectedly") }],
    ["a full disk", { storeFull: true }],
    ["a signal", { process: { ...process, exitCode: undefined, killedBy: "SIGKILL" } }],
  ])("is %s for all", (_, some) => {
    expect(decideFailure(facts({ process, saidOfOthers: true, ...some })).kind).toBe("infra");
  });
});
