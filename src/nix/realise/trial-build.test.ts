import { expect, test } from "vitest";
import { judgeRemoteTrial, trialError } from "./trial-build.ts";

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

const drv = "/nix/store/8cg31fsdryjjr7kwqcc86y9105gww0jq-homelab-deploy-doctor.drv";

test.each([
  [0, `building '${drv}' on 'ssh://arm1'...\ncopying 1 paths...\n`, { result: "built" }],
  [0, `building '${drv}' on 'ssh://arm10'...\n`, { result: "elsewhere" }],
  [0, `building '${drv}'...\n`, { result: "elsewhere" }],
  [
    1,
    "ssh: connect to host arm1 port 22: No route to host\ncannot build on 'ssh://arm1': error: cannot connect to 'arm1'\nFailed to find a machine for remote build!\nerror: unable to start any build; remote machines may not have all required system features.\n",
    { result: "failed", because: "ssh: connect to host arm1 port 22: No route to host" },
  ],
  [
    1,
    "cannot build on 'ssh://arm1': error: cannot connect to 'arm1'\nerror: unable to start any build\n",
    { result: "failed", because: "cannot connect to 'arm1'" },
  ],
  [
    1,
    "error: bad machine specification: failed to convert column #3 in a row: 'ssh://arm1 - - many' to 'unsigned int'\nerror: unexpected EOF reading a line\n(use '--show-trace' to show detailed location information)\n",
    {
      result: "failed",
      because:
        "bad machine specification: failed to convert column #3 in a row: 'ssh://arm1 - - many' to 'unsigned int'",
    },
  ],
  [
    1,
    "error:\n       … while parsing machine specification at a column #7 in a row: 'ssh://arm1 - - 2 1 - - $'\n\n       error: invalid character in Base64 string: '$'\nerror:\n       … while reading the response from the build hook\n\n       error: unexpected EOF reading a line\n",
    {
      result: "failed",
      because: "while parsing machine specification at a column #7 in a row: 'ssh://arm1 - - 2 1 - - $'",
    },
  ],
  [
    1,
    "error:\n       … while reading the response from the build hook\n\n       error: unexpected EOF reading a line\n",
    { result: "failed", because: "unexpected EOF reading a line" },
  ],
  [1, "error: unable to start any build\n", { result: "failed", because: "unable to start any build" }],
  [1, "", { result: "failed", because: "nix-build ended with 1" }],
])("what Nix says of a build on a remote builder (exit code %d): %j", (exitCode, stderrTail, trial) => {
  expect(judgeRemoteTrial("ssh://arm1", { ...ended, exitCode, stderrTail })).toEqual(trial);
});
