import { expect, test } from "vitest";
import { HomelabError } from "./errors.ts";
import { watchBugs, type Log } from "./log.ts";

test("a bug is an error and is counted, at whatever level it is logged; what is expected stays as it is", () => {
  const lines: string[] = [];
  const at =
    (level: string): Log["info"] =>
    (fields, message) =>
      void lines.push(`${level} ${message}${fields["bug"] === true ? " (bug)" : ""}`);
  const { log, count } = watchBugs({
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    debug: at("debug"),
  });
  log.warn({ err: new HomelabError("unavailable", "the queue is full") }, "not stored");
  log.warn({ err: Object.assign(new Error("ENOSPC"), { syscall: "write" }) }, "disk");
  log.error({}, "no error at all");
  expect(count()).toBe(0);
  log.debug({ err: new TypeError("x is not a function") }, "only meant to be noted");
  log.warn({ err: new HomelabError("bug", "met by a builder") }, "elsewhere");
  expect(count()).toBe(2);
  expect(lines).toEqual([
    "warn not stored",
    "warn disk",
    "error no error at all",
    "error only meant to be noted (bug)",
    "error elsewhere (bug)",
  ]);
});
