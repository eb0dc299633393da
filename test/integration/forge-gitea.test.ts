// What only Gitea and Forgejo have: files, labels that are not unique, moving branches, scopes, and git itself.
import { execFile } from "node:child_process";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test as base } from "vitest";
import type { FileToAttach } from "../../src/forge/forge.ts";
import { type CannedAnswer, internalError, quotaExceeded, tooLarge } from "../support/forge-server/faults.ts";
import { startForgeServer } from "../support/forge-server/forge-server.ts";
import { giteaContract, whyWithoutContract } from "../support/forge-server/gitea-contract.ts";
import { createForgeRig, type ForgeRig, never } from "../support/forge-rig.ts";
import { gitEnvironment } from "../support/git-remote.ts";
import { createScratch } from "../support/scratch.ts";

const run = promisify(execFile);
const marker = "<!-- homelab-deploy:update v1";
const contract = giteaContract();

const test = base.extend<{ rig: ForgeRig }>({
  rig: async ({}, use) => {
    await using rig = await createForgeRig({ kind: "gitea", ownerIsOrganization: true, contract });
    await use(rig);
  },
});

async function pullOf({ forge, head, base: into }: ForgeRig): Promise<number> {
  const specification = { head, base: into, title: "Update", body: `${marker} -->`, marker };
  return (await forge.ensurePullRequest(specification, never)).pullRequest.number;
}
async function commentOf(rig: ForgeRig): Promise<number> {
  const number = await pullOf(rig);
  return (await rig.forge.ensureComment(number, { marker, body: marker }, never)).comment.id;
}
const logFile = (name = "testvm01-hello.log", bytes = 10): FileToAttach => {
  return { name, bytes: new Uint8Array(bytes).fill(65) };
};
const posts = ({ server }: ForgeRig, path: RegExp) =>
  server.requests.filter((request) => request.method === "POST" && path.test(request.path));

test("a file is attached once", async ({ rig }) => {
  const comment = await commentOf(rig);
  const first = await rig.forge.attach(comment, logFile(), never);
  expect(first).toMatchObject({ type: "attached" });
  expect(await rig.forge.attach(comment, logFile(), never)).toEqual({ ...first, type: "already-there" });
  expect(rig.server.state.comments[0]?.files.map(({ bytes }) => bytes.toString())).toEqual(["A".repeat(10)]);
  expect(rig.server.state.comments[0]?.files).toHaveLength(1);
});

test("what the forge's settings exclude is not sent", async ({ rig }) => {
  const comment = await commentOf(rig);
  rig.server.state.attachments.max_size = 1;
  expect(await rig.forge.attach(comment, logFile("a.log", 1024 * 1024 + 1), never)).toMatchObject({
    type: "refused",
    reason: "too-large",
  });
  rig.server.state.attachments.enabled = false;
  expect(await rig.forge.attach(comment, logFile(), never)).toMatchObject({
    type: "refused",
    reason: "disabled",
  });
  expect(posts(rig, /assets/)).toEqual([]);
});

test.for<[string, string, CannedAnswer]>([
  ["too-large", "a proxy's limit", tooLarge],
  ["too-large", "a quota", quotaExceeded],
  ["disabled", "a route that is not there", { status: 404, body: '{"message":"gone"}' }],
])("a refusal while sending is a result, not an error: %s by %s", async ([reason, , answer], { rig }) => {
  const comment = await commentOf(rig);
  rig.server.faults.add({ method: "POST", path: /assets$/, times: 1, effect: { type: "answer", answer } });
  expect(await rig.forge.attach(comment, logFile(), never)).toMatchObject({ type: "refused", reason });
});

test("a kind of file that the forge does not take is a result", async ({ rig }) => {
  const comment = await commentOf(rig);
  expect(await rig.forge.attach(comment, logFile("log.zst"), never)).toMatchObject({
    type: "refused",
    reason: "file-type",
  });
});

test("of labels with one name the oldest is used, and any of them counts and goes", async ({ rig }) => {
  const { forge, server } = rig;
  const number = await pullOf(rig);
  const [first, second] = [1, 2].map(() => server.state.addLabel({ name: "needs-review" }));
  await forge.ensureLabels([{ name: "needs-review", colour: "#d73a4a", description: "" }], never);
  await forge.addLabels(number, ["needs-review"], never);
  expect(server.state.pulls[0]?.labels).toEqual([first]);

  const pull = server.state.pulls[0];
  if (pull !== undefined && second !== undefined) pull.labels = [second];
  await forge.addLabels(number, ["needs-review"], never);
  expect(pull?.labels).toEqual([second]);
  await forge.removeLabels(number, ["needs-review"], never);
  expect(pull?.labels).toEqual([]);
  expect(server.state.labels).toHaveLength(2);
});

test("labels of the organization are used, where the token may see them", async ({ rig }) => {
  const { forge, server } = rig;
  const number = await pullOf(rig);
  const specification = { name: "build-failure", colour: "#d73a4a", description: "" };
  const shared = server.state.addLabel({ name: specification.name, shared: true });
  server.bot.scopes.push("read:organization");
  await forge.ensureLabels([specification], never);
  await forge.addLabels(number, [specification.name], never);
  expect(server.state.labels).toEqual([shared]);
  expect(server.state.pulls[0]?.labels).toEqual([shared]);

  server.bot.scopes.pop();
  await forge.ensureLabels([specification], never);
  expect(server.state.labels.map((label) => label.shared)).toEqual([true, false]);
});

test.for([
  ["write:issue", "ensureComment"],
  ["read:user", "signIn"],
  ["write:repository", "ensurePullRequest"],
] as const)("a token without %s is told to get it", async ([scope, call], { rig }) => {
  const { server, forge } = rig;
  await pullOf(rig);
  server.bot.scopes = server.bot.scopes.filter((each) => each !== scope);
  server.bot.scopes.push(...(scope === "read:user" ? [] : [scope.replace("write", "read")]));
  const body = `${marker} --> changed`;
  const specification = { head: rig.head, base: rig.base, title: "Other", body, marker };
  const failing =
    call === "signIn"
      ? rig.signIn()
      : call === "ensureComment"
        ? forge.ensureComment(1, { marker, body }, never)
        : forge.ensurePullRequest(specification, never);
  await expect(failing).rejects.toMatchObject({
    kind: "refused",
    code: "FORGE_SCOPE",
    hint: expect.stringContaining(scope),
  });
});

test("merges by fast-forward once the forge knows that it can", async ({ rig }) => {
  const number = await pullOf(rig);
  const pull = rig.server.state.pulls[0];
  if (pull !== undefined) pull.mergeabilityPending = 3;
  expect(await rig.forge.fastForward(number, rig.headCommit, never)).toEqual({ type: "landed" });
  expect(posts(rig, /merge$/).map(({ status }) => status)).toEqual([405, 405, 405, 200]);
  expect(await rig.server.state.tip(rig.base)).toBe(rig.headCommit);
  const closed = await rig.forge.pullRequests({ state: "closed" }, never);
  expect(closed).toMatchObject([{ number, state: "merged" }]);
});

test("a base that went another way is not an outage, though the forge answers with 500", async ({ rig }) => {
  const number = await pullOf(rig);
  await rig.server.remote.commit({ branch: rig.base });
  expect(await rig.forge.fastForward(number, rig.headCommit, never)).toEqual({ type: "moved" });
  expect(posts(rig, /merge$/).map(({ status }) => status)).toEqual([500]);
});

base("a Gitea that compares only branches sees that the base moved, and what people did", async () => {
  await using rig = await createForgeRig({ kind: "gitea", version: "1.22.3" });
  const number = await pullOf(rig);
  expect((await rig.forge.activity(number, never)).commits).toHaveLength(1);
  await rig.server.remote.commit({ branch: rig.base });
  expect(await rig.forge.fastForward(number, rig.headCommit, never)).toEqual({ type: "moved" });
});

test("a 500 without such a reason is an outage", async ({ rig }) => {
  const number = await pullOf(rig);
  const effect = { type: "answer", answer: internalError } as const;
  rig.server.faults.add({ method: "POST", path: /merge$/, times: 9, effect });
  await expect(rig.forge.fastForward(number, rig.headCommit, never)).rejects.toMatchObject({
    kind: "unavailable",
  });
});

test("a merge whose answer was lost has landed, also when the base went on from there", async ({ rig }) => {
  const { forge, server, head, headCommit } = rig;
  const number = await pullOf(rig);
  server.faults.add({ method: "POST", path: /merge$/, times: 1, effect: { type: "drop-after" } });
  const happens = async () => {
    const next = await server.remote.commit({ branch: head });
    await server.state.git("update-ref", "refs/heads/main", next);
    await server.state.git("update-ref", `refs/heads/${head}`, headCommit);
  };
  server.faults.add({
    method: "GET",
    path: /branches\/main$/,
    times: 1,
    effect: { type: "meanwhile", happens },
  });
  expect(await forge.fastForward(number, headCommit, never)).toEqual({ type: "landed" });
});

test("another head than the one that was validated is not merged", async ({ rig }) => {
  const number = await pullOf(rig);
  await rig.server.remote.commit({ branch: rig.head });
  expect(await rig.forge.fastForward(number, rig.headCommit, never)).toEqual({ type: "moved" });
  expect(await rig.server.state.tip(rig.base)).toBe(rig.baseCommit);
});

base.for([
  ["gitea", "1.26.0", "gitea"],
  ["gitea", "development", "gitea"],
  ["gitea", "15.0.1+gitea-1.22.0", "forgejo"],
  ["forgejo", "1.26.3", "gitea"],
] as const)("%s that says %s is %s", async ([kind, version, found]) => {
  await using rig = await createForgeRig({ kind, version });
  expect(rig.forge).toMatchObject({ kind: found, version });
});

base("a Gitea that cannot merge by fast-forward is not asked to", async () => {
  await using rig = await createForgeRig({ kind: "gitea", version: "1.21.11" });
  const number = await pullOf(rig);
  const message = "gitea 1.21.11 cannot merge by fast-forward";
  expect(await rig.forge.fastForward(number, rig.headCommit, never)).toEqual({ type: "refused", message });
  expect(posts(rig, /merge$/)).toEqual([]);
});

test("deleting a branch closes its pull request", async ({ rig }) => {
  const number = await pullOf(rig);
  await rig.forge.deleteBranch(rig.head, never);
  const closed = await rig.forge.pullRequests({ state: "closed" }, never);
  expect(closed).toMatchObject([{ number, state: "closed", head: rig.head }]);
});

test("the same token pushes over HTTP, through the hooks of the repository", async ({ rig }) => {
  const { server, headCommit } = rig;
  const git = async (token: string, ...args: readonly string[]) => {
    const basic = Buffer.from(`homelab-bot:${token}`).toString("base64");
    const environment = {
      ...gitEnvironment,
      GIT_TERMINAL_PROMPT: "0",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "http.extraHeader",
      GIT_CONFIG_VALUE_0: `Authorization: Basic ${basic}`,
    };
    return run("git", [...args], { env: environment, cwd: server.remote.path });
  };
  await git(server.bot.token, "push", server.gitUrl, `${headCommit}:refs/heads/pushed`);
  expect(await server.state.tip("pushed")).toBe(headCommit);
  await expect(git("wrong", "ls-remote", server.gitUrl)).rejects.toThrow(
    /could not read|Authentication failed/i,
  );

  const hook = join(server.remote.path, "hooks/pre-receive");
  await writeFile(
    hook,
    "#!/bin/sh\necho 'error: Not allowed to push to protected branch main' >&2\nexit 1\n",
  );
  await chmod(hook, 0o755);
  await expect(git(server.bot.token, "push", server.gitUrl, `${headCommit}:refs/heads/main`)).rejects.toThrow(
    /remote: error: Not allowed to push to protected branch main/,
  );
});

base("a request or an answer against the contract makes its test fail", async ({ skip }) => {
  skip(contract === undefined, whyWithoutContract);
  await using scratch = await createScratch("forge-");
  const server = await startForgeServer({ kind: "gitea", directory: scratch.directory, contract });
  const answer = await fetch(`${server.url}/api/v1/repos/home/nixos-servers/pulls?head=x`, {
    headers: { authorization: `token ${server.bot.token}` },
  });
  expect(answer.status).toBe(500);
  await expect(server[Symbol.asyncDispose]()).rejects.toThrow("there is no query parameter head");
});

test("nothing secret is in the log of requests", async ({ rig }) => {
  await commentOf(rig);
  expect(rig.server.requests.length).toBeGreaterThan(3);
  expect(JSON.stringify(rig.server.requests)).not.toContain(rig.server.bot.token);
});
