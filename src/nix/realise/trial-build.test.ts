import { expect, test } from "vitest";
import { trialError } from "./trial-build.ts";

const ended = { exitCode: 1, killedBy: undefined, timedOut: false, stdout: "" };

test.each([
  ["warning: x\nerror: the group 'nixbld' specified in 'build-users-group' does not exist\n", "build users"],
  [
    "error: cannot connect to socket at '/nix/var/nix/daemon-socket/socket': Connection refused\n",
    "nix-daemon.socket",
  ],
  ["error: creating directory '/nix/store': Permission denied\n", "allowed-users"],
  ["error: writing to file: No space left on device\n", "free space"],
  ["error: program '/etc/nix/hook' (post-build-hook) failed with exit code 1\n", "take it out"],
  ["error: something new\n", "journalctl"],
  ["", "journalctl"],
])("what Nix says decides what to do: %j", (stderrTail, advice) => {
  const error = trialError({ ...ended, stderrTail });
  expect(error.hint).toContain(advice);
  expect(error.message).not.toContain("error:");
});

test("one that does not end is said", () => {
  expect(trialError({ ...ended, exitCode: undefined, timedOut: true, stderrTail: "" }).message).toContain(
    "60 s",
  );
});
