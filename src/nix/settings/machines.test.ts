import { expect, test } from "vitest";
import { machinesFor, parseMachines, replaceableMachines, type BuildPlaces } from "./machines.ts";

const lines = `ssh://arm1 aarch64-linux,armv7l-linux /key 4 1 big-parallel,kvm
# a comment
ssh-ng://big - - 8 2 big-parallel benchmark ; builder@old i686-linux`;
const places: BuildPlaces = { here: ["x86_64-linux"], machines: parseMachines(lines, "x86_64-linux") };

test("reads machines, one a line or divided by semicolons", () => {
  expect(places.machines).toEqual([
    {
      uri: "ssh://arm1",
      line: "ssh://arm1 aarch64-linux,armv7l-linux /key 4 1 big-parallel,kvm",
      systems: ["aarch64-linux", "armv7l-linux"],
      jobs: 4,
      features: ["big-parallel", "kvm"],
      mandatoryFeatures: [],
    },
    {
      uri: "ssh-ng://big",
      line: "ssh-ng://big - - 8 2 big-parallel benchmark",
      systems: ["x86_64-linux"],
      jobs: 8,
      features: ["big-parallel", "benchmark"],
      mandatoryFeatures: ["benchmark"],
    },
    {
      uri: "ssh://builder@old",
      line: "builder@old i686-linux",
      systems: ["i686-linux"],
      jobs: 1,
      features: [],
      mandatoryFeatures: [],
    },
  ]);
});

test("a machine that builds nothing at a time is none", () => {
  const machines = parseMachines(
    "ssh://arm1 aarch64-linux - 0 1\nssh://arm2 aarch64-linux - 1 0",
    "x86_64-linux",
  );
  expect(machines.map(({ uri }) => uri)).toEqual(["ssh://arm2"]);
});

test.each([
  ["aarch64-linux", [], ["ssh://arm1"]],
  ["aarch64-linux", ["kvm"], ["ssh://arm1"]],
  ["aarch64-linux", ["nixos-test"], []],
  // It takes only what asks for it.
  ["x86_64-linux", [], []],
  ["x86_64-linux", ["benchmark"], ["ssh-ng://big"]],
  ["x86_64-linux", ["benchmark", "big-parallel"], ["ssh-ng://big"]],
  ["riscv64-linux", [], []],
])("knows which machines build for %s with %j", (system, requiredFeatures, expected) => {
  expect(machinesFor({ system, requiredFeatures }, places).map(({ uri }) => uri)).toEqual(expected);
});

test.each([
  ["the same", "ssh://a x86_64-linux - 4", "ssh://b x86_64-linux", ["ssh://a"]],
  [
    "more",
    "ssh://a x86_64-linux - 4 1 kvm",
    "ssh://b x86_64-linux,aarch64-linux - 1 1 big-parallel,kvm",
    ["ssh://a"],
  ],
  ["no such system", "ssh://a x86_64-linux,i686-linux", "ssh://b x86_64-linux", []],
  ["no such feature", "ssh://a x86_64-linux - 4 1 kvm", "ssh://b x86_64-linux", []],
  ["only what requires a feature", "ssh://a x86_64-linux", "ssh://b x86_64-linux - 1 1 - benchmark", []],
  ["nothing, as it is away too", "ssh://a x86_64-linux", "ssh://away x86_64-linux", []],
  ["one of its two lines", "ssh://a x86_64-linux ; ssh://a?x=1 i686-linux", "ssh://b x86_64-linux", []],
])("a machine can be left out when another takes its work: %s", (_, one, other, expected) => {
  const machines = parseMachines(`${one}\n${other}`, "x86_64-linux");
  expect(replaceableMachines({ machines }, ["ssh://a", "ssh://away", "ssh://unknown"])).toEqual(expected);
});
