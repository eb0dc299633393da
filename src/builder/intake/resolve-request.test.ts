import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import type { Mirror } from "../../git/git.ts";
import { parseCommit } from "../../protocol/names.ts";
import { startRig } from "../../../test/support/builder-rig.ts";

/** A repo whose commit git refuses, and how often it was asked for. */
function createRefusing(): Mirror & { asked: number } {
  const refuse = async (): Promise<never> => {
    mirror.asked++;
    throw new HomelabError("failed", "git refuses commit 1: object 2: hasDotgit: contains '.git'", {
      code: "GIT_REFUSED",
    });
  };
  const mirror = {
    path: "/mirrors/nixos",
    asked: 0,
    resolveBranch: refuse,
    ensureCommit: refuse,
    readFile: refuse,
  };
  return mirror;
}

const repos = { "nixos-servers": { web01: {} }, nixos: { gunter: {} } };

test("a commit that git refuses is the request's own failure, and is not tried again", async () => {
  const mirror = createRefusing();
  const { ask, verdict, stop } = await startRig({ repos, mirrors: { nixos: mirror } });
  for (const request of [{}, { rev: parseCommit("1".repeat(40)) }]) {
    mirror.asked = 0;
    const state = await verdict(await ask("nixos/all", request));
    expect([state.status, state.hosts.size]).toEqual(["failed", 0]);
    expect(state.reason).toContain("object 2: hasDotgit");
    expect(mirror.asked).toBe(1);
  }
  // Its host may be there, but nobody will ever know from this commit.
  expect((await verdict(await ask("any/gunter"))).status).toBe("failed");
  await stop();
});

test("a commit that git refuses keeps no other repo from being built", async () => {
  const { ask, verdict, stop } = await startRig({ repos, mirrors: { nixos: createRefusing() } });
  const state = await verdict(await ask("any/all"));
  expect([...state.hosts.values()].map(({ host, finished }) => [host, finished?.verdict])).toEqual([
    ["web01", "built"],
  ]);
  expect(state.unresolved).toMatchObject([{ repo: "nixos", reason: expect.stringContaining("hasDotgit") }]);
  expect(state.status).not.toBe("succeeded");
  expect((await verdict(await ask("any/web01"))).hosts.size).toBe(1);
  await stop();
});

test("while another repo cannot be reached nobody knows whose fault a missing host is", async () => {
  const away = async (): Promise<never> => {
    throw new HomelabError("unavailable", "no answer", { code: "GIT_REMOTE" });
  };
  const mirrors = {
    nixos: createRefusing(),
    "nixos-servers": {
      path: "/mirrors/nixos-servers",
      resolveBranch: away,
      ensureCommit: away,
      readFile: away,
    },
  };
  const { ask, verdict, stop } = await startRig({ repos, mirrors });
  expect(await verdict(await ask("any/web01"))).toMatchObject({
    status: "infra-failed",
    reason: "no answer",
  });
  await stop();
});

test("while hosts are listed for long, who waits hears of it", async () => {
  const rig = await startRig({ repos });
  const listed = Promise.withResolvers<readonly string[]>();
  Object.assign(rig.nix, { listHosts: () => listed.promise });
  const id = await rig.ask("nixos/all");
  const watching = new AbortController();
  for await (const message of rig.bus.follow(id, { progress: true }, watching.signal)) {
    if (message.type !== "progress") continue;
    expect(message.progress.note).toBe("nixos: listing the hosts of aaaaaaa, and fetching its inputs");
    break;
  }
  listed.resolve(["gunter"]);
  expect((await rig.verdict(id)).status).toBe("succeeded");
  await rig.stop();
});
