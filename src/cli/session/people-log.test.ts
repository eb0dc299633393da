import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { HomelabError } from "../../base/errors.ts";
import { createPeopleLog } from "./people-log.ts";
import { plainStyle } from "../print/style.ts";

function said(err: unknown): string {
  let text = "";
  const clock = { ...systemClock, now: () => new Date(2026, 0, 2, 3, 4, 5) };
  createPeopleLog({
    err: { write: (more) => (text += more) },
    errStyle: plainStyle,
    clock,
    options: {},
  }).warn({ build: "01J", err }, "it failed");
  return text;
}

test("an error is its message and why; the stack only of a bug", () => {
  const cause = new Error("connection refused");
  expect(said(new HomelabError("unavailable", "NATS is away", { cause }))).toBe(
    "03:04:05 warning: it failed build=01J err=NATS is away: connection refused\n",
  );
  expect(said(new TypeError("x is not a function"))).toMatch(
    /^03:04:05 warning: it failed build=01J err=x is not a function\n {4}at .*people-log\.test\.ts/,
  );
});
