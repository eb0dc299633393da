import { expect, test } from "vitest";
import { startRig } from "../../../test/support/builder-rig.ts";
import { HomelabError } from "../../base/errors.ts";
import { parseCommit, parseHostName, parseRepoName } from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { buildCommit } from "./build-commit.ts";

const specification = () => ({
  id: newBuildId(new Date()),
  repo: parseRepoName("homelab"),
  commit: parseCommit("a".repeat(40)),
  requestedBy: "update",
});

test("a builder that met a bug neither lets an update land nor turns it red", async () => {
  const rig = await startRig({ repos: { homelab: { red: { evaluation: "crash" }, odd: {} } }, batchSize: 1 });
  const evaluate = rig.nix.evaluate.bind(rig.nix);
  const meeting: typeof evaluate = async function* (source, hosts, ...rest) {
    if (hosts[0] === "odd") throw new TypeError("x is not a function");
    yield* evaluate(source, hosts, ...rest);
  };
  Object.assign(rig.nix, { evaluate: meeting });
  // Although one host failed on its own.
  await expect(
    buildCommit({ builds: rig.bus }, specification(), new AbortController().signal),
  ).rejects.toMatchObject({
    kind: "bug",
    code: "INTERNAL",
    cause: { message: "internal error: x is not a function" },
  });
  await rig.stop();
});

test("a build that somebody else asked for under our id is no verdict of ours", async () => {
  const rig = await startRig({ repos: { homelab: { green: {} } } });
  const mine = specification();
  // It is there before our request: another commit, green.
  await rig.ask("homelab/all", { id: mine.id, rev: parseCommit("b".repeat(40)) });
  await rig.verdict(mine.id);
  await expect(buildCommit({ builds: rig.bus }, mine, new AbortController().signal)).rejects.toMatchObject({
    kind: "unavailable",
    code: "BUILD_TAKEN",
  });
  await rig.stop();
});

test.each([
  ["of the same commit with fewer hosts", "a", { hosts: [parseHostName("green")] }],
  ["of another commit, by a builder that does not say what was asked for", "b", {}],
])("nor is one %s", async (_, digit, more) => {
  const rig = await startRig({ repos: { homelab: { green: {}, red: { build: "fail" } } } });
  const mine = specification();
  await rig.ask("homelab/all", { id: mine.id, rev: parseCommit(digit.repeat(40)), ...more });
  await rig.verdict(mine.id);
  const follow = rig.bus.follow.bind(rig.bus);
  const silent: typeof rig.bus = {
    ...rig.bus,
    async *follow(...call) {
      for await (const message of follow(...call)) {
        if (message.type !== "event" || message.event.type !== "accepted") yield message;
        else {
          const { about: _about, ...event } = message.event;
          yield { type: "event", event };
        }
      }
    },
  };
  const builds = digit === "b" ? silent : rig.bus;
  await expect(buildCommit({ builds }, mine, new AbortController().signal)).rejects.toMatchObject({
    code: "BUILD_TAKEN",
  });
  await rig.stop();
});

test("a builder that the repo's remote refuses needs somebody to give it access, not a retry", async () => {
  const refused = new HomelabError("refused", "cannot read https://git.lan/x", {
    code: "GIT_DENIED",
    hint: "a token",
  });
  const mirror = {
    path: "/mirrors/homelab",
    resolveBranch: () => Promise.reject(refused),
    ensureCommit: () => Promise.reject(refused),
    readFile: () => Promise.reject(refused),
  };
  const rig = await startRig({ repos: { homelab: { green: {} } }, mirrors: { homelab: mirror } });
  await expect(
    buildCommit({ builds: rig.bus }, specification(), new AbortController().signal),
  ).rejects.toMatchObject({
    kind: "refused",
    code: "GIT_DENIED",
    message: expect.stringContaining("cannot read https://git.lan/x"),
    hint: "a token",
  });
  await rig.stop();
});
