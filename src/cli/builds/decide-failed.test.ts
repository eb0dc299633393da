import * as v from "valibot";
import { expect, test } from "vitest";
import { aBuildId, accepted, anEvent } from "../../../test/support/builds.ts";
import { foldEvents, type BuildState } from "../../protocol/build-state.ts";
import { parseBranchName, parseCommit, parseHostName, parseRepoName } from "../../protocol/names.ts";
import { FlakeInput } from "../../protocol/overrides.ts";
import type { Source } from "../../protocol/events.ts";
import type { HostVerdict } from "../../protocol/verdicts.ts";
import { decideFailed } from "./decide-failed.ts";

const commit = parseCommit("a".repeat(40));
const main = parseBranchName("main");
const servers = parseRepoName("servers");
const laptops = parseRepoName("laptops");

function ended(
  verdicts: Readonly<Record<string, HostVerdict | undefined>>,
  sources: readonly Source[],
): BuildState {
  const id = aBuildId();
  const hosts = Object.entries(verdicts).map(([name, verdict]) => {
    const [repo = "", host = ""] = name.split("/");
    return { repo: parseRepoName(repo), host: parseHostName(host), verdict };
  });
  const finished = hosts.flatMap(({ verdict, ...host }) =>
    verdict === undefined ? [] : [{ ...host, verdict, durationMs: 1 }],
  );
  return foldEvents(id, [
    anEvent(id, 0, { ...accepted, type: "accepted", sources: [...sources], hosts } as typeof accepted),
    anEvent(id, 1, { type: "hosts-finished", hosts: finished }),
  ]);
}

test("a host's own fault is built from the branch as it is now", () => {
  const state = ended(
    {
      "servers/ok": "built",
      "servers/bad": "build-failed",
      "servers/unlucky": "infra-failed",
      "servers/foreign": "skipped",
      "servers/open": undefined,
    },
    [{ repo: servers, branch: main, commit }],
  );
  expect(decideFailed(state, undefined)).toEqual({
    hosts: ["bad", "unlucky"],
    specification: { repo: "servers", branch: "main" },
    overrides: undefined,
  });
});

test("what is no host's fault is built from the same commit, with the same overrides", () => {
  const override = { input: v.parse(FlakeInput, "x"), repo: laptops, commit };
  const state = ended({ "servers/a": "infra-failed", "servers/b": "cancelled" }, [
    { repo: servers, commit, overrides: [override] },
  ]);
  expect(decideFailed(state, undefined)).toEqual({
    hosts: ["a", "b"],
    specification: { repo: "servers", rev: commit },
    overrides: [override],
  });
});

test("where nothing failed there is nothing to build", () => {
  const state = ended({ "servers/a": "unchanged" }, [{ repo: servers, branch: main, commit }]);
  expect(decideFailed(state, undefined)).toBeUndefined();
});

test("of several repos it is one request where branches were built, and else a repo at a time", () => {
  const verdicts = { "servers/a": "eval-failed", "laptops/b": "build-failed" } as const;
  const heads = ended(verdicts, [
    { repo: servers, branch: main, commit },
    { repo: laptops, branch: parseBranchName("master"), commit },
  ]);
  expect(decideFailed(heads, undefined)).toEqual({
    hosts: ["a", "b"],
    specification: {},
    overrides: undefined,
  });
  expect(decideFailed(heads, "laptops")).toMatchObject({
    hosts: ["b"],
    specification: { repo: "laptops", branch: "master" },
  });
  const atCommits = ended(verdicts, [
    { repo: servers, commit },
    { repo: laptops, commit },
  ]);
  expect(() => decideFailed(atCommits, undefined)).toThrow(/servers and laptops/);
});
