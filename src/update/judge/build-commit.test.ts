import { expect, test } from "vitest";
import { startRig } from "../../../test/support/builder-rig.ts";
import { parseCommit, parseRepoName } from "../../protocol/names.ts";
import { newBuildId } from "../../protocol/ulid.ts";
import { buildCommit } from "./build-commit.ts";

const wish = () => ({
  id: newBuildId(new Date()),
  repo: parseRepoName("homelab"),
  commit: parseCommit("a".repeat(40)),
  requestedBy: "update",
});

test("a builder that met a bug neither lets an update land nor turns it red", async () => {
  const rig = await startRig({ repos: { homelab: { red: { evaluation: "crash" }, odd: {} } }, batchSize: 1 });
  const evaluate = rig.nix.evaluate.bind(rig.nix);
  const meeting: typeof evaluate = async (source, hosts, ...rest) => {
    if (hosts.some((host) => host === "odd")) throw new TypeError("x is not a function");
    return evaluate(source, hosts, ...rest);
  };
  Object.assign(rig.nix, { evaluate: meeting });
  // Although one host failed by its own fault.
  await expect(buildCommit(rig.bus, wish(), new AbortController().signal)).rejects.toMatchObject({
    kind: "bug",
    code: "INTERNAL",
    cause: { message: "internal error: x is not a function" },
  });
  await rig.stop();
});

test("a build that somebody else asked for under our id is no verdict of ours", async () => {
  const rig = await startRig({ repos: { homelab: { green: {} } } });
  const mine = wish();
  // It is there before our request: another commit, green.
  await rig.ask("homelab/all", { id: mine.id, rev: parseCommit("b".repeat(40)) });
  await rig.verdict(mine.id);
  await expect(buildCommit(rig.bus, mine, new AbortController().signal)).rejects.toMatchObject({
    kind: "unavailable",
    code: "BUILD_TAKEN",
  });
  await rig.stop();
});
