import { expect, test } from "vitest";
import { createFakeClock } from "../../test/support/fake-clock.ts";
import { HomelabError } from "../base/errors.ts";
import { silentLog } from "../base/log.ts";
import type { PushResult, Repository } from "../git/git.ts";
import { parseCommit, type Commit } from "../protocol/names.ts";
import { acquireLease, isFree, leaseRef } from "./lease.ts";

const minute = 60_000;
const base = parseCommit("a".repeat(40));
const never = new AbortController().signal;

/** A remote with the one ref; it can be away. */
function remoteRef() {
  const remote = { isAway: false, at: undefined as Commit | undefined, pushes: 0 };
  const unused = () => expect.fail("no lease needs this");
  let commits = 0;
  const repository: Repository = {
    mirror: { path: "/mirror", resolveBranch: unused, ensureCommit: unused, readFile: unused },
    readFile: unused,
    checkOut: unused,
    commit: async () => parseCommit((++commits).toString(16).padStart(40, "0")),
    facts: unused,
    isAncestor: unused,
    remoteRefs: unused,
    readRemote: async () => undefined,
    async push([change]): Promise<PushResult> {
      remote.pushes++;
      if (remote.isAway) throw new HomelabError("unavailable", "no route to host", { code: "GIT_REMOTE" });
      expect(change?.ref).toBe(leaseRef);
      if (change?.from !== remote.at) return { type: "moved" };
      remote.at = change?.to;
      return { type: "pushed" };
    },
  };
  return { remote, repository };
}

function leaseOf(repository: Repository) {
  const clock = createFakeClock();
  const options = {
    repository,
    base,
    self: { run: "run", machine: "here", pid: 1, trigger: "test" },
    author: { name: "bot", email: "bot@homelab.invalid" },
    isAlive: () => true,
    clock,
    log: silentLog,
  };
  return { clock, acquire: async () => acquireLease(options, never) };
}

test("a remote that is away for a while costs renewals, and not the lease", async () => {
  const { remote, repository } = remoteRef();
  const { clock, acquire } = leaseOf(repository);
  const lease = await acquire();
  const first = remote.at;
  remote.isAway = true;
  await clock.advance(11 * minute);
  remote.isAway = false;
  expect(remote.at).toBe(first);
  await clock.advance(5 * minute);
  expect(remote.at).not.toBe(first);
  expect(lease.lost.aborted).toBe(false);
  await lease[Symbol.asyncDispose]();
  expect(remote.at).toBeUndefined();
});

test("a lease that somebody else took over is lost, and left alone", async () => {
  const { remote, repository } = remoteRef();
  const { clock, acquire } = leaseOf(repository);
  const lease = await acquire();
  remote.at = parseCommit("f".repeat(40));
  await clock.advance(6 * minute);
  expect(lease.lost.reason).toMatchObject({ kind: "unavailable", code: "UPDATE_RUNNING" });
  await lease[Symbol.asyncDispose]();
  expect(remote.at).toBe("f".repeat(40));
});

test("a lease is free when it has expired, or when its process of this machine is gone", () => {
  const holder = {
    run: "r",
    machine: "cache01",
    pid: 7,
    trigger: "timer",
    expiresAt: "2026-11-23T15:00:00Z",
  };
  const at = (time: string, machine: string, alive: boolean) =>
    isFree(holder, {
      self: { run: "s", machine, pid: 1, trigger: "ci" },
      isAlive: () => alive,
      clock: { now: () => new Date(time), monotonic: () => 0, sleep: async () => undefined },
    });
  expect(at("2026-11-23T14:00:00Z", "cache01", true)).toBe(false);
  expect(at("2026-11-23T14:00:00Z", "cache01", false)).toBe(true);
  expect(at("2026-11-23T14:00:00Z", "laptop", false)).toBe(false);
  expect(at("2026-11-23T15:00:00Z", "laptop", true)).toBe(true);
});
