import { expect, test } from "vitest";
import { unknownBuild, type BuildState, type HostState } from "../../protocol/build-state.ts";
import {
  fullName,
  parseCommit,
  type BuildId,
  type HostName,
  type RepoName,
  type StorePath,
} from "../../protocol/names.ts";
import type { HostVerdict } from "../../protocol/verdicts.ts";
import { decideReadiness } from "./decide-readiness.ts";
import { newestSystems } from "./newest-systems.ts";

const commit = parseCommit("a".repeat(40));
const repo = "servers" as RepoName;
const pathOf = (host: string): StorePath => `/nix/store/${"a".repeat(32)}-${host}` as StorePath;

function build(
  verdicts: Readonly<Record<string, HostVerdict | undefined>>,
  more: Partial<BuildState> = {},
): BuildState {
  const hosts = Object.entries(verdicts).map(([name, verdict]): HostState => {
    const host = name as HostName;
    if (verdict === undefined) return { repo, host, phase: "building" };
    const outPath = verdict === "built" || verdict === "unchanged" ? { outPath: pathOf(name) } : {};
    return { repo, host, phase: "finished", finished: { repo, host, verdict, ...outPath, durationMs: 1 } };
  });
  return {
    ...unknownBuild("01M84KW4J7RPYZCCCPJ0CR2KEQ" as BuildId),
    status: Object.values(verdicts).includes(undefined) ? "running" : "succeeded",
    complete: true,
    sources: [{ repo, commit }],
    hosts: new Map(hosts.map((host) => [fullName(host), host])),
    ...more,
  };
}

test("a build with other inputs than the commit locks says nothing of the commit", () => {
  const overrides = [{ input: "nixpkgs", repo, commit }] as never;
  const other = build({ web: "built" }, { sources: [{ repo, commit, overrides }] });
  expect(decideReadiness([other], commit)).toMatchObject({ type: "waiting" });
  expect(decideReadiness([other, build({ web: "build-failed" })], commit)).toMatchObject({ type: "failed" });
  expect(newestSystems([other])).toEqual({ systems: new Map(), hosts: [] });
});

test("all is built when a build of all hosts built each of them", () => {
  expect(decideReadiness([build({ web: "built", mail: "unchanged" })], commit)).toEqual({
    type: "built",
    systems: [
      { name: "servers/web", path: pathOf("web") },
      { name: "servers/mail", path: pathOf("mail") },
    ],
  });
});

test.each([
  ["nothing", []],
  ["a build of some hosts", [build({ web: "built" }, { complete: false })]],
  ["a build that says nothing of it", [build({ web: "built" }, { sources: [] })]],
  ["another commit", [build({ web: "built" }, { sources: [{ repo, commit: parseCommit("b".repeat(40)) }] })]],
  ["no hosts", [build({})]],
  ["a build under way", [build({ web: "built", mail: undefined })]],
  ["an infrastructure fault", [build({ web: "built", mail: "infra-failed" }, { status: "infra-failed" })]],
  ["a host that nobody can build", [build({ web: "built", mail: "skipped" }, { status: "infra-failed" })]],
])("%s is not all of it", (_, builds) => {
  expect(decideReadiness(builds, commit).type).toBe("waiting");
});

test("a host's own failure ends the waiting, and nothing else does", () => {
  expect(decideReadiness([build({ web: undefined, mail: "eval-failed" })], commit).type).toBe("failed");
});

test("the newest build that has an answer counts", () => {
  const broken = build({ web: "infra-failed" }, { status: "infra-failed" });
  expect(decideReadiness([broken, build({ web: "built" })], commit).type).toBe("built");
  expect(decideReadiness([broken, build({ web: undefined })], commit)).toMatchObject({
    reason: expect.stringContaining("ended as infra-failed"),
  });
});
