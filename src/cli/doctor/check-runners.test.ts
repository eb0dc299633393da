import { expect, test } from "vitest";
import type { ActionsFacts, Runner } from "../../forge/gitea/actions.ts";
import { judgeRunners } from "./check-runners.ts";

const runner: Runner = { name: "cache01", isOnline: true, labels: ["nix", "x86_64-linux"] };
const facts = (more: Partial<ActionsFacts>): ActionsFacts => ({
  runners: [runner],
  isComplete: true,
  wanted: [{ workflow: ".gitea/workflows/update.yaml", labels: ["nix"] }],
  ...more,
});

test.each<[string, Partial<ActionsFacts>, readonly string[]]>([
  ["a runner with the label", {}, ["ok"]],
  ["one that is offline", { runners: [{ ...runner, isOnline: false }] }, ["wrong"]],
  ["one with another label", { runners: [{ ...runner, labels: ["docker"] }] }, ["wrong"]],
  ["one that has not all of them", { wanted: [{ workflow: "w", labels: ["nix", "gpu"] }] }, ["wrong"]],
  [
    "one with a schema in its label",
    { runners: [{ ...runner, labels: ["nix:host"] }] },
    ["warning", "wrong"],
  ],
  ["others that this token sees", { runners: [{ ...runner, labels: [] }], isComplete: false }, ["warning"]],
  ["none that this token sees", { runners: [], isComplete: false }, ["unknown"]],
  ["no workflows", { wanted: [], runners: [] }, []],
])("%s", (_, more, states) => {
  const findings = judgeRunners("r", facts(more));
  expect(findings.map(({ state }) => state)).toEqual(states);
  for (const { state, hint } of findings) expect(hint === undefined).toBe(state === "ok");
});
