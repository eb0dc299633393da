import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { createActivityLog } from "./activity-log.ts";
import { type FailureMessage, readFailureMessage } from "./failure-message.ts";

const logs = join(import.meta.dirname, "../../../test/fixtures/nix-logs");

/** What Nix itself said in a captured log, but warnings. */
function errorsIn(file: string): FailureMessage[] {
  const errors: (FailureMessage | undefined)[] = [];
  const log = createActivityLog((activity) => {
    if (activity.type !== "message") return;
    const { level, text, authentic } = activity.message;
    if (authentic && level === 0) errors.push(readFailureMessage(text));
  });
  for (const line of readFileSync(file, "utf8").split("\n")) log.line(line);
  return errors.filter((error) => error !== undefined);
}

/** Without what only says that the daemon did it. */
const ourScenario = (file: string): string => basename(file, ".log").replace("_daemon", "");

describe("the errors of every captured version", () => {
  const host = "nixos-system-host01-24.11.synthetic.drv";
  const exit = (exitCode: number): object => ({
    end: { type: "exit-code", exitCode },
    reason: `builder failed with exit code ${exitCode}`,
  });
  const expected: Readonly<Record<string, readonly object[]>> = {
    realise_multi: [exit(2), exit(1)],
    realise_cascade: [{ ...exit(1), drvPath: expect.stringMatching(/-shared-1\.drv$/) }],
    realise_kill: [
      {
        drvPath: expect.stringContaining(host),
        end: { type: "signal", signal: 9 },
        reason: "builder failed due to signal 9 (Killed)",
      },
    ],
    realise_nooutput: [
      {
        drvPath: expect.stringContaining(host),
        end: { type: "rejected" },
        reason: "builder failed to produce the output 'out'",
      },
    ],
    realise_hash: [
      {
        drvPath: expect.stringContaining("-fod-mismatch.drv"),
        end: { type: "rejected" },
        reason: expect.stringMatching(/^hash mismatch: specified sha256-A+=, got sha256-1OSH\S+$/),
      },
    ],
    loglimit: [
      {
        drvPath: expect.stringContaining(host),
        end: { type: "rejected" },
        reason: "builder killed after writing more than 20000 bytes of log output",
      },
    ],
    realise_timeout: [{ end: { type: "timeout" } }],
    sig_SIGTERM_children: [{ drvPath: undefined, reason: "interrupted by the user" }],
    sf_narinfo500: [{ drvPath: undefined, end: { type: "substitution" } }],
    realise_ok: [],
  };

  const nooutput = { reason: "builder failed to produce the output 'out'" };
  const noBuilder = { end: { type: "no-builder" }, reason: "no builder for 'aarch64-linux'" };
  const expectedOfOurs: Readonly<Record<string, readonly object[]>> = {
    our_fail: [exit(2), nooutput, exit(1)],
    our_late_error: [exit(2), nooutput, exit(1)],
    our_timeout: [exit(1), { end: { type: "timeout" } }],
    our_hash: expected["realise_hash"] ?? [],
    our_no_builder: [{ ...noBuilder, drvPath: expect.stringMatching(/-shared-1\.drv$/) }],
    our_dead_substituter: [
      { drvPath: undefined, reason: "disabling binary cache 'http://127.0.0.1:1' for 60 seconds" },
    ],
  };

  test.each(globSync(join(logs, "*/*.log")).filter((file) => basename(file, ".log") in expected))(
    "%s",
    (file) => {
      expect(errorsIn(file)).toMatchObject(expected[basename(file, ".log")] ?? []);
    },
  );

  test.each(globSync(join(logs, "*/our_*.log")).filter((file) => ourScenario(file) in expectedOfOurs))(
    "as we run it, also through the daemon: %s",
    (file) => {
      const [...errors] = errorsIn(file);
      const wanted = expectedOfOurs[ourScenario(file)] ?? [];
      // Since 2.29 Nix continues with what it has a builder for.
      const goesOn = ourScenario(file) === "our_no_builder" && errors.length > 1;
      expect(errors).toMatchObject(goesOn ? [...wanted, noBuilder, noBuilder] : wanted);
    },
  );

  const named: unknown = expect.stringContaining(host);
  test.each([
    ["2.8.0", named, "silence"],
    ["2.26.3", named, "silence"],
    // Says neither of what nor which limit.
    ["2.34.8", undefined, "timeout"],
  ])("silence in %s", (version, drvPath, type) => {
    const silence = { drvPath, end: { type } };
    expect(errorsIn(join(logs, version, "realise_silent.log"))).toMatchObject([silence]);
    expect(errorsIn(join(logs, version, "our_silence.log"))).toMatchObject([exit(1), silence]);
    expect(errorsIn(join(logs, version, "our_daemon_silence.log"))).toMatchObject([exit(1), silence]);
  });

  test("the daemon's errors, without the log that they quote", () => {
    expect(errorsIn(join(logs, "2.8.0/daemon_mixed.log"))).toMatchObject([exit(2), exit(1)]);
  });
});

const drv = "/nix/store/w9sgi6bq7qx3diwagw96bmppim34572a-linux-6.18.drv";

describe("an error", () => {
  test.each([
    `a 'aarch64-linux' with features {kvm} is required to build '${drv}', but I am a 'x86_64-linux' with features {}`,
    `Cannot build '${drv}'.\n       Reason: required system or feature not available\n       Required system: 'aarch64-linux' with features {kvm}\n       Current system: 'x86_64-linux' with features {}`,
    `Cannot build '${drv}'.\n       Reason: platform mismatch\n       Required system: 'aarch64-linux'\n       Current system: 'x86_64-linux'\n       Reason: missing system features\n       Required features: {kvm}\n       Available features: {nixos-test}`,
  ])("about a missing builder: %s", (text) => {
    expect(readFailureMessage(`error: ${text}`)).toEqual({
      drvPath: drv,
      paths: [drv],
      end: { type: "no-builder" },
      reason: "no builder for 'aarch64-linux' with features {kvm}",
      diskFull: false,
    });
  });

  test.each([
    ["unable to start any build; remote machines may not have all required system features.", undefined],
    ["unable to start any build; either increase '--max-jobs' or enable remote builds.", undefined],
    [`Cannot build '${drv}'.\n       Reason: local builds are disabled (max-jobs = 0)\n       Hint: x`, drv],
  ])("about remote builders that do not take it, with max-jobs = 0: %s", (text, drvPath) => {
    expect(readFailureMessage(`error: ${text}`)).toMatchObject({ drvPath, end: { type: "no-builder" } });
  });

  test.each([
    `could not copy '/nix/store/w9sgi6bq7qx3diwagw96bmppim34572a-x': error: hash mismatch importing path '/nix/store/w9sgi6bq7qx3diwagw96bmppim34572a-x';\n  specified: sha256:a\n  got: sha256:b`,
    "hash mismatch importing path '/nix/store/w9sgi6bq7qx3diwagw96bmppim34572a-x';\n  specified: sha256:a\n  got:    sha256:b",
  ])("about what a damaged store gives is no judgement of who built it: %s", (text) => {
    const elsewhere = `build of '${drv}' on 'ssh-ng://arm1' failed: error: ${text}`;
    expect(readFailureMessage(`error: ${elsewhere}`)).toMatchObject({
      drvPath: drv,
      end: { type: "environment" },
    });
  });

  test("is not what Nix says about how to see more of it", () => {
    expect(readFailureMessage("(use '--show-trace' to show detailed location information)")).toBeUndefined();
  });

  test("about a missing feature only", () => {
    const text = `Cannot build '${drv}'.\nReason: missing system features\nRequired features: {big, kvm}\nAvailable features: {}`;
    expect(readFailureMessage(text)).toMatchObject({
      end: { type: "no-builder" },
      reason: "no builder with features {big, kvm}",
    });
  });

  test.each([
    `builder for '${drv}' failed with exit code 1;\nnote: build failure may have been caused by lack of free disk space`,
    `writing to file: No space left on device`,
    `cannot create directory '${drv}.lock': Disk quota exceeded`,
  ])("about a full disk: %s", (text) => {
    expect(readFailureMessage(text)?.diskFull).toBe(true);
  });

  test.each([
    "cannot open connection to remote store 'daemon': error: reading from file: Connection reset by peer",
    "Nix daemon disconnected unexpectedly: unexpected end-of-file",
    `while setting up the build environment of '${drv}'`,
  ])("about the surroundings of a build: %s", (text) => {
    expect(readFailureMessage(text)?.end.type).toBe("environment");
  });

  test.each([
    `1 dependencies of derivation '${drv}' failed to build`,
    `Cannot build '${drv}'.\nReason: 2 dependencies failed.\nOutput paths:\n  /nix/store/x`,
    `build of '${drv}' failed`,
    `build of '${drv}', '${drv}^out' failed`,
  ])("that only follows from others is none: %s", (text) => {
    expect(readFailureMessage(`error: ${text}`)).toBeUndefined();
  });

  test("of a build elsewhere names it", () => {
    expect(readFailureMessage(`build of '${drv}' on 'ssh://big' failed: broken pipe`)).toMatchObject({
      drvPath: drv,
      end: { type: "environment" },
    });
  });

  test("has a reason of one line without hashes", () => {
    const text = `error: output '${drv.replace(".drv", "")}' is not allowed to refer to the following paths:\n  /nix/store/w9sgi6bq7qx3diwagw96bmppim34572a-gcc`;
    expect(readFailureMessage(text)?.reason).toBe(
      "output 'linux-6.18' is not allowed to refer to the following paths: gcc",
    );
    expect(readFailureMessage("x".repeat(5000))?.reason).toHaveLength(600);
  });
});
