import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { silentLog } from "../../base/log.ts";
import { createMemoryBus } from "../../bus/memory-bus.ts";
import { HomelabError } from "../../base/errors.ts";
import {
  parseBranchName,
  parseBuilderName,
  parseCommit,
  parseRepoName,
  type BuildId,
  type Commit,
} from "../../protocol/names.ts";
import { buildIdOfSubject } from "../../protocol/subjects.ts";
import { decodeRequest } from "../../protocol/request.ts";
import { runRepoPoller } from "./poll-repos.ts";

const commit = (digit: string): Commit => parseCommit(digit.repeat(40));

test("a new commit is asked for once, what comes meanwhile waits, and a remote that is down is only waited for", async () => {
  const bus = createMemoryBus(systemClock);
  const stopped = new AbortController();
  const polled = new Map<string, Commit>();
  let tip: Commit | undefined = commit("a");
  const running = runRepoPoller(
    {
      repo: {
        name: parseRepoName("fleet"),
        branch: parseBranchName("master"),
        mirror: {
          path: "/m",
          async resolveBranch() {
            if (tip === undefined) throw new HomelabError("unavailable", "the remote is down");
            return tip;
          },
          ensureCommit: async () => undefined,
          readFile: async () => undefined,
        },
        allowImportFromDerivation: false,
        exclusion: () => undefined,
        pollMs: 5,
      },
      bus,
      builder: parseBuilderName("b1"),
      polled: { get: (repo) => polled.get(repo), set: async (repo, value) => void polled.set(repo, value) },
      clock: systemClock,
      log: silentLog,
    },
    stopped.signal,
  ).catch(() => undefined);

  const next = async (): Promise<{ id: BuildId; rev: Commit | undefined }> => {
    const delivery = await bus.nextRequest(AbortSignal.timeout(30_000));
    const request = decodeRequest(delivery?.data ?? new Uint8Array());
    expect(delivery?.subject).toBe("build.fleet.all");
    expect(request).toMatchObject({ priority: "batch", trigger: "poll" });
    return { id: buildIdOfSubject(`x.${request.id}`), rev: request.rev };
  };
  const first = await next();
  expect(first.rev).toBe(commit("a"));
  await expect.poll(() => polled.get("fleet")).toBe(commit("a"));
  tip = commit("b");
  tip = commit("c");
  expect(await bus.queueLength(stopped.signal)).toBe(0);
  tip = undefined;
  const writer = await bus.openEventLog(first.id, [], stopped.signal);
  await writer.append(
    {
      build: first.id,
      epoch: 1,
      index: 0,
      at: "2026-11-23T14:00:00Z",
      type: "finished",
      verdict: "succeeded",
      durationMs: 1,
    },
    stopped.signal,
  );
  tip = commit("c");
  expect((await next()).rev).toBe(commit("c"));
  stopped.abort(new Error("stopped"));
  await running;
});
