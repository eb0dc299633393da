// Events of rollouts for tests.
import * as v from "valibot";
import { parseRepoName } from "../../src/protocol/names.ts";
import { RolloutEvent, RolloutId } from "../../src/protocol/rollout/rollout-events.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import { createRolloutSeal } from "../../src/signing/create-rollout-seal.ts";
import { someSigner } from "./deploy-orders.ts";

/** Of the deployer of tests. */
export const testSeal = createRolloutSeal(someSigner("deployer"));

const begin = Date.parse("2026-11-29T12:00:00.000Z");

/** Seconds after noon. */
export const rolloutTime = (second: number): string => new Date(begin + second * 1000).toISOString();

/** Of a rollout that was asked for so many seconds after noon. */
export const aRolloutId = (second = 0): RolloutId =>
  v.parse(RolloutId, newBuildId(new Date(begin + second * 1000)));

export const rolloutRepo = parseRepoName("servers");

/** @param body the event without what all have, at least its type */
export const aRolloutEvent = (rollout: RolloutId, body: object, second = 0): RolloutEvent =>
  v.parse(RolloutEvent, { rollout, repo: rolloutRepo, at: rolloutTime(second), ...body });

export const created = (rollout: RolloutId, changes: object = {}): RolloutEvent =>
  aRolloutEvent(rollout, {
    type: "created",
    by: "kai",
    trigger: "person",
    commit: "9c41e7f".padEnd(40, "0"),
    branch: "master",
    hosts: ["web01"],
    policy: {},
    ...changes,
  });
