import * as v from "valibot";
import { expect, test } from "vitest";
import { UpdateEvent } from "../../protocol/update-events.ts";
import { createUpdateTeller, sentenceOf } from "./webhook.ts";

test("outcomes that it is not to hear of are not told", async () => {
  const told: string[] = [];
  const tell = createUpdateTeller(async ({ text }) => void told.push(text), ["landed"]);
  for (const outcome of ["no-change", "landed"] as const) {
    const event = { repo: "fleet", run: "1", outcome, at: "2026-01-01T00:00:00Z", inputs: [], hosts: {} };
    await tell(v.parse(UpdateEvent, event), AbortSignal.timeout(30_000));
  }
  expect(told).toEqual([expect.stringContaining("has landed")]);
});

test("whoever hears of proposals hears of an input that needs a person, whether or not the rest landed", async () => {
  const told: string[] = [];
  const tell = createUpdateTeller(async ({ text }) => void told.push(text), ["proposed"]);
  for (const needsPerson of [false, true]) {
    const unavailable = [{ input: "beta", reason: "its branch is gone", runs: 1, needsPerson }];
    const rest = { at: "2026-01-01T00:00:00Z", inputs: [], hosts: {}, unavailable };
    const event = { repo: "fleet", run: "1", outcome: "no-change", ...rest };
    await tell(v.parse(UpdateEvent, event), AbortSignal.timeout(30_000));
  }
  expect(told).toEqual(["fleet: there is nothing to update. The input beta needs you: its branch is gone."]);
});

test("what landed says what of other repos does not build with it", () => {
  const event = {
    repo: "fleet",
    run: "1",
    outcome: "landed",
    at: "2026-01-01T00:00:00Z",
    commit: "a".repeat(40),
    inputs: ["nixpkgs"],
    hosts: { ok: 1 },
  };
  const sentence = (downstream?: object): string =>
    sentenceOf(v.parse(UpdateEvent, { ...event, downstream }));
  const plain = "fleet: the update (nixpkgs) has landed as aaaaaaa: it builds on every host.";
  expect(sentence()).toBe(plain);
  expect(sentence({ nixos: { ok: 2, fixed: 1 } })).toBe(plain);
  expect(sentence({ nixos: { ok: 2, regression: 1 } })).toBe(
    `${plain} With it in repos that use it: nixos: 1 no longer builds.`,
  );
});

test("what landed says what it changes on the hosts", () => {
  const host = { reboot: [], closureSize: 1, sizeDelta: 0, packages: [], packageCount: 0 };
  const effect = {
    hosts: [
      { ...host, host: "web", reboot: ["kernel"] },
      { ...host, host: "db" },
    ],
    changed: 2,
    unchanged: 3,
    unknown: [{ reason: "elsewhere", hosts: ["nas"], count: 1 }],
  };
  const event = { repo: "fleet", run: "1", outcome: "landed", at: "2026-01-01T00:00:00Z", hosts: { ok: 6 } };
  const commit = "a".repeat(40);
  expect(sentenceOf(v.parse(UpdateEvent, { ...event, commit, inputs: [], effect }))).toBe(
    "fleet: the update has landed as aaaaaaa: it builds on every host. 2 hosts change, 1 needs a reboot (web), 3 hosts stay the same, 1 host not known here.",
  );
});
