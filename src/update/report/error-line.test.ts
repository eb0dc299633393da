import { expect, test } from "vitest";
import { errorLine } from "./error-line.ts";

test.each([
  [
    "checking for openssl... no\nconfigure: error: openssl is needed\nmake: *** [all] Error 1",
    "configure: error: openssl is needed",
  ],
  [
    "main.c:3:1: fatal error: x.h: No such file or directory\ncompilation terminated.",
    "main.c:3:1: fatal error: x.h: No such file or directory",
  ],
  ["error[E0432]: unresolved import `x`\n", "error[E0432]: unresolved import `x`"],
  [
    "12 passed, 0 failed\nFAILED tests/test_x.py::test_y - assert 1 == 2",
    "FAILED tests/test_x.py::test_y - assert 1 == 2",
  ],
  ["E: it does not compile", "E: it does not compile"],
  ["unpacking\n/bin/sh: line 3: foo: command not found\n", "/bin/sh: line 3: foo: command not found"],
  ["one\n\n two \n\n", "two"],
  ["\n", undefined],
])("of %j it is %j", (log, expected) => {
  expect(errorLine(log)).toBe(expected);
});
