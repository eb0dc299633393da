import { describe, expect, test } from "vitest";
import { parseBuilderName, parseCommit, parseRepoName } from "../../protocol/names.ts";
import { requestDigest } from "../../protocol/request-digest.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { decideOtherBuild, describeRequest } from "./decide-other-build.ts";

const id = newBuildId(new Date("2026-11-29T12:00:00Z"));
const target = { repo: parseRepoName("nixos"), host: "all" } as const;
const since = parseCommit("a".repeat(40));
const plain = describeRequest(target, {});
const changed = describeRequest(target, { changedSince: since });
const accepted = { id, startedAt: "2026-11-29T12:00:01Z", builder: parseBuilderName("old01") };
const everything = requestDigest(target, {});

test("before the build is accepted nothing contradicts the request", () => {
  expect(decideOtherBuild(changed, { id })).toBeUndefined();
});

test("the build that was asked for is ours", () => {
  expect(decideOtherBuild(plain, { ...accepted, about: plain.about })).toBeUndefined();
  expect(
    decideOtherBuild(changed, { ...accepted, about: changed.about, changedSince: since }),
  ).toBeUndefined();
});

test("another build under our id is somebody else's", () => {
  for (const asked of [plain, changed]) {
    expect(decideOtherBuild(asked, { ...accepted, about: "0".repeat(64) })).toMatchObject({
      code: "BUILD_TAKEN",
    });
  }
  expect(decideOtherBuild(plain, { ...accepted, about: changed.about, changedSince: since })).toMatchObject({
    code: "BUILD_TAKEN",
  });
});

describe("a builder that builds every host because it does not know --changed-since", () => {
  test.each([
    ["and says what the build is about", everything],
    ["and does not say what the build is about", undefined],
  ])("%s is named as outdated", (_, about) => {
    const state = { ...accepted, ...(about === undefined ? {} : { about }) };
    expect(decideOtherBuild(changed, state)).toMatchObject({
      kind: "config",
      code: "BUILDER_OUTDATED",
      message: expect.stringContaining("the builder old01 does not know --changed-since") as string,
    });
  });
});
