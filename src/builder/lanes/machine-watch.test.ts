import { expect, test } from "vitest";
import { storePath } from "../../../test/support/build-events.ts";
import type { FailureMessage } from "../../nix/realise/failure-message.ts";
import type { MachineClaims } from "../../nix/realise/machine-claims.ts";
import type { FailureCause, NixActivity, RealiseResult } from "../../nix/realiser.ts";
import { createMachineWatch, type MachineWatch } from "./machine-watch.ts";

const drv = (name: string) => storePath(`${name}.drv`);
const started = (name: string, machine?: string): NixActivity => ({
  type: "derivation-started",
  drvPath: drv(name),
  ...(machine === undefined ? {} : { machine }),
});
const stopped = (name: string, failed?: true): NixActivity => ({
  type: "derivation-stopped",
  drvPath: drv(name),
  failed,
});
const because = (name: string, kind: FailureCause["kind"]) => ({
  causes: new Map([[drv(name), { kind, name, reason: kind }]]),
});
const message: FailureMessage = {
  drvPath: undefined,
  reason: "exit code 3",
  end: { type: "exit-code", exitCode: 3 },
  paths: [],
  diskFull: false,
};

function watch(): { readonly watch: MachineWatch; readonly said: string[] } {
  const said: string[] = [];
  return { watch: createMachineWatch((machine, news) => said.push(`${machine} ${news}`)), said };
}

test("what a machine builds has begun at once, and ends with its process", () => {
  const { watch: machines, said } = watch();
  machines.take(started("a", "ssh://arm1"));
  machines.take(started("here"));
  machines.take(stopped("a"));
  machines.take(stopped("here"));
  expect(said).toEqual(["ssh://arm1 started"]);
  machines.ended({});
  machines.end();
  expect(said).toEqual(["ssh://arm1 started", "ssh://arm1 built"]);
});

test("a machine that hung with a build has lost it, and what it had built before stays built", () => {
  const { watch: machines, said } = watch();
  for (const name of ["a", "b"]) machines.take(started(name, `ssh://${name}`));
  machines.take(started("here"));
  machines.take(stopped("a"));
  machines.hung();
  machines.end();
  expect(said.slice(2)).toEqual(["ssh://b infra-failed", "ssh://a built"]);
});

test.each([
  ["failed", "failed"],
  ["timed-out", "failed"],
  ["infra", "infra-failed"],
  ["unclear", "interrupted"],
  ["interrupted", "interrupted"],
] as const)("a derivation whose cause is %s has %s there", (kind, result) => {
  const { watch: machines, said } = watch();
  machines.take(started("a", "ssh://arm1"));
  machines.take(stopped("a", true));
  machines.learn(because("a", "unclear"), "over");
  machines.learn(because("a", kind), "over");
  machines.ended({});
  expect(said.slice(1)).toEqual([`ssh://arm1 ${result}`]);
});

test.each<[string, MachineClaims, string]>([
  ["the machine says that it failed", { failed: message }, "failed"],
  ["the machine excuses it", { excused: message }, "infra-failed"],
  ["the machine says nothing any more", {}, "infra-failed"],
])("without a cause: %s", (_, claims, result) => {
  const { watch: machines, said } = watch();
  machines.take(started("a", "ssh://arm1"));
  machines.take(stopped("a", true));
  const reports: RealiseResult["machines"] = {
    claims: new Map([[drv("a"), claims]]),
    refusals: new Map(),
    others: [],
  };
  machines.ended({ machines: reports });
  expect(said.slice(1)).toEqual([`ssh://arm1 ${result}`]);
});

test("what Nix counted as failed and is there has been built", () => {
  const { watch: machines, said } = watch();
  for (const name of ["a", "b", "c"]) machines.take(started(name, `ssh://${name}`));
  machines.take(stopped("a", true));
  machines.take(stopped("b", true));
  machines.take(stopped("c"));
  machines.learn(because("b", "infra"), "over");
  expect(machines.doubtful()).toEqual([drv("a")]);
  machines.ended({}, new Set([drv("a")]));
  expect(said.slice(3)).toEqual(["ssh://a built", "ssh://b infra-failed", "ssh://c built"]);
});

test("what is ended from here, and what is built again alone, was interrupted", () => {
  const { watch: machines, said } = watch();
  machines.take(started("a", "ssh://arm1"));
  machines.take(started("b", "ssh://arm1"));
  machines.take(started("a", "ssh://arm2"));
  machines.end();
  expect(said.slice(2)).toEqual([
    "ssh://arm1 interrupted",
    "ssh://arm2 started",
    "ssh://arm1 interrupted",
    "ssh://arm2 interrupted",
  ]);
});

test("what was unclear and is built when it is built again has been built", () => {
  const { watch: machines, said } = watch();
  machines.take(started("a", "ssh://arm1"));
  machines.take(stopped("a", true));
  machines.learn(because("a", "unclear"), "over");
  machines.take(started("a", "ssh://arm2"));
  machines.take(stopped("a"));
  machines.ended({});
  expect(said).toEqual([
    "ssh://arm1 started",
    "ssh://arm1 interrupted",
    "ssh://arm2 started",
    "ssh://arm2 built",
  ]);
});

test.each([
  ["infra", "built"],
  ["interrupted", "built"],
  ["failed", "failed"],
] as const)("what is %s while Nix still builds it ends as %s", (kind, result) => {
  const { watch: machines, said } = watch();
  machines.take(started("a", "ssh://arm1"));
  machines.learn(because("a", kind), "running");
  machines.take(stopped("a"));
  machines.ended({});
  expect(said.slice(1)).toEqual([`ssh://arm1 ${result}`]);
});

test("a machine that does not answer has refused, once for each process", () => {
  const { watch: machines, said } = watch();
  const refusals = new Map([["ssh://arm1", "No route to host"]]);
  machines.ended({ machines: { claims: new Map(), refusals, others: [] } });
  expect(said).toEqual(["ssh://arm1 refused"]);
});
