import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { parseBranchName } from "../../protocol/names.ts";
import { createHttp } from "../http/http.ts";
import { labelsOf, readActions } from "./actions.ts";

const workflow = "jobs:\n  update:\n    runs-on: nix # the builder\n    steps: []\n";

/** A Gitea that answers these paths, and 404 to all others. */
function httpOf(answers: Readonly<Record<string, unknown>>) {
  return createHttp({
    apiUrl: "https://git.lan/api/v1",
    scheme: "token",
    readToken: async () => "token",
    clock: systemClock,
    fetch: async (url) => {
      const { pathname } = new URL(new Request(url).url);
      const answer = answers[pathname.replace("/api/v1", "")];
      return answer === undefined ? Response.json({}, { status: 404 }) : Response.json(answer);
    },
  });
}

const target = { owner: "o", repo: "r", branch: parseBranchName("main") };
const runner = { id: 1, name: "cache01", status: "online", labels: [{ name: "nix" }] };
const files = {
  "/repos/o/r/contents/.gitea/workflows": [{ path: ".gitea/workflows/update.yaml", type: "file" }],
  "/repos/o/r/contents/.gitea/workflows/update.yaml": { content: Buffer.from(workflow).toString("base64") },
};

test("runners of the repository and its owner, and what the workflows ask for", async () => {
  const http = httpOf({
    "/repos/o/r/actions/runners": { runners: [runner], total_count: 1 },
    "/orgs/o/actions/runners": { runners: [runner, { ...runner, id: 2, status: "offline", labels: null }] },
    ...files,
  });
  expect(await readActions(http, target, new AbortController().signal)).toEqual({
    runners: [
      { name: "cache01", isOnline: true, labels: ["nix"] },
      { name: "cache01", isOnline: false, labels: [] },
    ],
    isComplete: false,
    wanted: [{ workflow: ".gitea/workflows/update.yaml", labels: ["nix"] }],
  });
});

test("an administrator's token sees all runners, and an old server shows none", async () => {
  const signal = new AbortController().signal;
  const all = await readActions(httpOf({ "/admin/actions/runners": { runners: [runner] } }), target, signal);
  expect(all).toMatchObject({ isComplete: true, wanted: [] });
  expect(await readActions(httpOf({}), target, signal)).toEqual({
    runners: [],
    isComplete: false,
    wanted: [],
  });
});

test.each([
  ["    runs-on: nix\n", [["nix"]]],
  ["    runs-on: [nix, 'big']\n", [["nix", "big"]]],
  ['    runs-on: "homelab:host"\n', [["homelab:host"]]],
  ["    runs-on:\n      - nix\n      - big\n    steps:\n      - run: x\n", [["nix", "big"]]],
  ["    runs-on: ${{ vars.RUNNER }}\n", []],
  ["# runs-on: nix\n", []],
  ["    runs-on: a\n    x: 1\n  other:\n    runs-on: b\n", [["a"], ["b"]]],
])("%j runs on %j", (text, labels) => {
  expect(labelsOf(text)).toEqual(labels);
});
