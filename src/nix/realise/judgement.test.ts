import { describe, expect, test } from "vitest";
import { readFailureMessage } from "./failure-message.ts";

const hash = "w9sgi6bq7qx3diwagw96bmppim34572a";
const path = `/nix/store/${hash}-clr-6.3.3`;
const drv = `${path}.drv`;
const dep = `/nix/store/${hash}-gcc-14.3.0`;

describe("what Nix refuses is evidence of a failure, in the words of 2.8, 2.26 and 2.34", () => {
  test.each([
    [
      `output '${path}' is not allowed to refer to the following paths:\n         ${dep}`,
      "output 'clr-6.3.3' is not allowed to refer to the following paths: gcc-14.3.0",
    ],
    [
      `path '${path}' is too large at 4280 bytes; limit is 1000 bytes`,
      "path 'clr-6.3.3' is too large at 4280 bytes; limit is 1000 bytes",
    ],
    [
      `closure of path '${path}' is too large at 640 bytes; limit is 100 bytes`,
      "closure of path 'clr-6.3.3' is too large at 640 bytes; limit is 100 bytes",
    ],
    [`derivation contains an illegal reference specifier 'nosuchoutput'`, undefined],
    [
      `derivation '${drv}' output check for 'out' contains output name 'nosuchoutput', but this is not a valid output of this derivation. (Valid outputs are [out].)`,
      "derivation 'clr-6.3.3' output check for 'out' contains output name 'nosuchoutput', but this is not a valid output of this derivation. (Valid outputs are [out].)",
    ],
    [
      `suspicious ownership or permission on '${path}' for output 'out'; rejecting this build output`,
      "suspicious ownership or permission on 'clr-6.3.3' for output 'out'; rejecting this build output",
    ],
    [
      `suspicious ownership or permission on "${path}" for output 'out'; rejecting this build output`,
      `suspicious ownership or permission on "clr-6.3.3" for output 'out'; rejecting this build output`,
    ],
    [`file '${path}/x' has an unsupported type`, "file 'clr-6.3.3/x' has an unsupported type"],
    [`file "${path}/x" has an unsupported type`, `file "clr-6.3.3/x" has an unsupported type`],
    [
      `output path '${path}' should be a non-executable regular file since recursive hashing is not enabled (outputHashMode=flat)`,
      "output path 'clr-6.3.3' should be a non-executable regular file since recursive hashing is not enabled (outputHashMode=flat)",
    ],
    [
      `output path "/nix/store/tmp-15422-2236942922/x" should be a non-executable regular file since recursive hashing is not enabled (one of outputHashMode={flat,text} is true)`,
      undefined,
    ],
    [
      `fixed-output derivations must not reference store paths: '${drv}' references 1 distinct paths, e.g. '${dep}'`,
      "fixed-output derivations must not reference store paths: 'clr-6.3.3' references 1 distinct paths, e.g. 'gcc-14.3.0'",
    ],
    [
      `cycle detected in build of '${drv}' in the references of output 'dev' from output 'out'`,
      "cycle detected in build of 'clr-6.3.3' in the references of output 'dev' from output 'out'",
    ],
    [`file name collision in between '${path}/a' and '${path}/A'`, undefined],
    [`odd number of tokens in 'exportReferencesGraph': 'odd'`, undefined],
    [`'exportReferencesGraph' contains a non-store path '/no/store/path'`, undefined],
    [`invalid file name '../bad' in 'exportReferencesGraph'`, undefined],
    [
      `derivation '${drv}' has '__noChroot' set, but that's not allowed when 'sandbox' is 'true'`,
      "derivation 'clr-6.3.3' has '__noChroot' set, but that's not allowed when 'sandbox' is 'true'",
    ],
    [
      `attribute 'allowedReferences' of derivation '${drv}' must be a list of strings`,
      "attribute 'allowedReferences' of derivation 'clr-6.3.3' must be a list of strings",
    ],
  ])("%s", (text, reason) => {
    expect(readFailureMessage(`error: ${text}`)).toMatchObject({
      end: { type: "rejected" },
      ...(reason === undefined ? {} : { reason }),
    });
  });

  test("of a derivation whose attributes are wrong, since 2.29, behind the place", () => {
    const text = `error:\n       … while parsing derivation '${drv}'\n\n       error: path '/no/store/path' is not in the Nix store`;
    expect(readFailureMessage(text)).toMatchObject({
      drvPath: drv,
      end: { type: "rejected" },
      reason: "path '/no/store/path' is not in the Nix store",
    });
  });
});

test("all lines are kept, and the reason has as many paths as people read", () => {
  const paths = Array.from({ length: 200 }, (_, index) => `/nix/store/${hash}-p${index}`);
  const message = readFailureMessage(
    `error: output '${path}' is not allowed to refer to the following paths:\n${paths.join("\n")}`,
  );
  expect(message?.reason).toMatch(/paths: p0, p1, .*, p9, and 190 more$/);
  expect(message?.lines).toHaveLength(50);
  expect(message?.lines?.[1]).toBe(paths[0]);
});

test.each([
  ["end-of-file-fixer", "rejected"],
  ["substitute-all", "rejected"],
  ["broken pipe", "rejected"],
])("a name is not a fault of the infrastructure: %s", (name, type) => {
  const text = `error: closure of path '/nix/store/${hash}-${name}' is too large at 2 bytes; limit is 1 bytes`;
  expect(readFailureMessage(text)?.end.type).toBe(type);
});

test.each([
  `path '${dep}' is not valid`,
  "cannot perform a sandboxed build because user namespaces are not enabled; check /proc/sys/user/max_user_namespaces",
  "opening lock file '/nix/var/nix/db/big-lock': Permission denied",
  `error:\n       … while setting up the build environment\n\n       error: mounting /proc: Operation not permitted`,
])("a fault of the machine is no judgement: %s", (text) => {
  expect(readFailureMessage(`error: ${text}`.replace("error: error:", "error:"))?.end.type).toBe(
    "environment",
  );
});

test("what a builder wrote to its log, which Nix quotes, is not Nix's word", () => {
  const text = `error: builder for '${drv}' failed with exit code 1;\n       last 1 log lines:\n       > No space left on device`;
  expect(readFailureMessage(text)).toMatchObject({
    diskFull: false,
    end: { type: "exit-code", exitCode: 1 },
  });
});
