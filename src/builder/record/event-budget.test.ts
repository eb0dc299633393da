import { expect, test } from "vitest";
import type { EventBody } from "../../protocol/events.ts";
import { parseHostName, parseRepoName } from "../../protocol/names.ts";
import { countedBytes, fullBytes, withinBudget } from "./event-budget.ts";

const host = { repo: parseRepoName("fleet"), host: parseHostName("web") };
const failure: EventBody = {
  type: "derivation-failed",
  drvPath: "/nix/store/00000000000000000000000000000000-hello.drv" as never,
  name: "hello",
  kind: "failed",
  reason: "r".repeat(1000),
  tail: Array.from({ length: 50 }, () => "x".repeat(1000)),
  hosts: [host],
  log: 3,
};
const warning: EventBody = { type: "warning", message: "careful" };
const evaluated: EventBody = {
  type: "evaluated",
  hosts: [{ ...host, remembered: false, warnings: ["old option"] } as never],
  durationMs: 1,
};
const verdict: EventBody = { type: "hosts-finished", hosts: [{ ...host, verdict: "built", durationMs: 1 }] };

test("within its budget a build says everything", () => {
  for (const body of [failure, warning, evaluated, verdict])
    expect(withinBudget(body, fullBytes - 1)).toBe(body);
});

test("beyond it, failures are short, and what only explains is left out", () => {
  const short = withinBudget(failure, fullBytes);
  expect(short).toMatchObject({ name: "hello", tail: [], log: 3, hosts: [host] });
  expect(countedBytes(short ?? failure)).toBeLessThan(800);
  expect(withinBudget(warning, fullBytes)).toBeUndefined();
  expect(withinBudget(evaluated, fullBytes)).toMatchObject({ hosts: [{ ...host, remembered: false }] });
  expect(JSON.stringify(withinBudget(evaluated, fullBytes))).not.toContain("old option");
});

test("what every host has does not count, however many there are", () => {
  const hosts = Array.from(
    { length: 1000 },
    () => ({ ...host, remembered: false, drvPath: "d".repeat(100) }) as never,
  );
  const many: EventBody = { type: "evaluated", hosts, durationMs: 1 };
  expect(countedBytes(many)).toBe(0);
  expect(countedBytes(evaluated)).toBe('["old option"]'.length);
  expect(withinBudget(many, 100 * fullBytes)).toBe(many);
});

test("far beyond it, only verdicts are said", () => {
  expect(withinBudget(failure, 2 * fullBytes)).toBeUndefined();
  expect(withinBudget(verdict, 100 * fullBytes)).toBe(verdict);
  expect(countedBytes(verdict)).toBe(0);
});
