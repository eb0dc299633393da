import { expect, test } from "vitest";
import { scriptBuild } from "../../../test/support/build-events.ts";
import { HomelabError } from "../../base/errors.ts";
import { NotTheHolderError } from "../../bus/bus.ts";
import type { EventBody } from "../../protocol/events.ts";
import { parseRepoName } from "../../protocol/names.ts";
import { endingOf, storeEnding, type Ending } from "./end-build.ts";

const now = new Date("2026-11-23T14:10:00Z");
const given: Ending = { verdict: "infra-failed", reason: "it cannot continue" };
const open = () => scriptBuild().accepted(["web01", "nas"]).hostsFinished("built", ["web01"]);

test("hosts without a verdict get one, and those that have one keep it", () => {
  const { hosts, finished } = endingOf(open().state, given, now);
  expect(hosts).toMatchObject([{ hosts: [{ host: "nas", verdict: "infra-failed" }] }]);
  expect(finished).toMatchObject({ verdict: "infra-failed", durationMs: 62_000 });
  const failed = open().hostsFinished("build-failed", ["nas"]).state;
  expect(endingOf(failed, given, now)).toMatchObject({ hosts: [], finished: { verdict: "failed" } });
});

test("a build is no success while nobody knows the hosts of one of its repos", () => {
  const unresolved = [{ repo: parseRepoName("nixos"), reason: "it does not answer" }];
  const { state } = scriptBuild().accepted(["web01"], { unresolved }).hostsFinished("built", ["web01"]);
  expect(endingOf(state, given, now)).toMatchObject({ hosts: [], finished: { verdict: "infra-failed" } });
});

/** What is stored of an ending when its hosts cannot be. */
async function storedOf(failure: Error): Promise<readonly EventBody["type"][]> {
  const stored: EventBody["type"][] = [];
  await storeEnding(endingOf(open().state, given, now), async ({ type }) => {
    if (type === "hosts-finished") throw failure;
    stored.push(type);
  });
  return stored;
}

test("a build whose hosts can never be told of ends all the same", async () => {
  expect(await storedOf(new TypeError("an event is not valid"))).toEqual(["finished"]);
});

test.each([
  ["NATS is away", new HomelabError("unavailable", "NATS is away")],
  ["another builder has it", new NotTheHolderError("another builder holds it")],
])("while %s nothing of the end is stored", async (_, failure) => {
  await expect(storedOf(failure)).rejects.toBe(failure);
});
