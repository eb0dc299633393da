import { expect, test } from "vitest";
import { createEvaluationMemory, firstCommit } from "../../../test/support/builder-rig.ts";
import { parseCommit, parseHostName, parseRepoName } from "../../protocol/names.ts";
import { freshMemory } from "./fresh-memory.ts";

const web = parseHostName("web");
const failure = { cause: "error", message: "no", details: "", isOwn: true } as const;

test("knows nothing of before, and what it learns is remembered for others too", async () => {
  const memory = await createEvaluationMemory().open({
    repo: parseRepoName("fleet"),
    commit: parseCommit(firstCommit),
    allowImportFromDerivation: false,
  });
  memory.rememberInventory(["web"]);
  memory.remember(web, failure);
  const fresh = freshMemory(memory);
  expect(fresh.inventory()).toBeUndefined();
  expect(fresh.get(web)).toBeUndefined();

  fresh.rememberInventory(["web", "db"]);
  fresh.remember(web, { ...failure, message: "still" });
  expect(fresh.inventory()).toEqual(["web", "db"]);
  expect(fresh.get(web)).toMatchObject({ message: "still" });
  expect(memory.get(web)).toMatchObject({ message: "still" });
  fresh.forget(web);
  expect(memory.get(web)).toBeUndefined();
});
