import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import { createDaemonLog } from "./daemon-log.ts";

function logged(err: unknown): Record<string, unknown> {
  let line = "";
  createDaemonLog({ write: (text) => (line += text) }, false).warn({ build: "01J", err }, "it failed");
  return JSON.parse(line) as Record<string, unknown>;
}

test("an error keeps its message and its stack, and those of its cause", () => {
  const cause = new TypeError("x is not a function");
  const { level, build, msg, err } = logged(
    new HomelabError("unavailable", "cannot store", { code: "NATS_ERROR", hint: "look", cause }),
  );
  expect({ level, build, msg }).toEqual({ level: "warn", build: "01J", msg: "it failed" });
  expect(err).toMatchObject({
    type: "HomelabError",
    message: "cannot store: x is not a function",
    code: "NATS_ERROR",
    hint: "look",
    stack: expect.stringMatching(
      /daemon-log\.test\.ts[\s\S]*caused by: TypeError: x is not a function\n\s+at /,
    ),
  });
});

test("what else an error carries stays out of the log, and what it says is bounded", () => {
  const error = Object.assign(new Error("e".repeat(100_000)), { request: { token: "s3cret" } });
  const line = JSON.stringify(logged(error));
  expect(line).not.toContain("s3cret");
  expect(line.length).toBeLessThan(64 * 1024);
});

test("something else that was thrown is said as text", () => {
  expect(logged("gone")["err"]).toEqual({ type: "string", message: "gone" });
});
