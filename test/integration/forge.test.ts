// What holds for every forge: the same sentences, once for each of them.
import { describe, expect, test as base } from "vitest";
import type { PullRequestSpecification } from "../../src/forge/forge.ts";
import { badGateway, signInPage, tooManyRequests } from "../support/forge-server/faults.ts";
import { giteaContract, whyWithoutContract } from "../support/forge-server/gitea-contract.ts";
import { createForgeRig, type ForgeRig, never } from "../support/forge-rig.ts";

const marker = "<!-- homelab-deploy:update v1";
const kinds = ["gitea", "forgejo", "github"] as const;
const contract = giteaContract();

const specificationFor = ({ head, base: into }: ForgeRig, text = "first"): PullRequestSpecification => {
  return { head, base: into, title: `Update: ${text}`, body: `${marker} {} -->\n${text}`, marker };
};
const labelNamed = (name: string) => ({ name, colour: "#d73a4a", description: "made by a test" });
const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "no error",
    (error: unknown) => (error instanceof Error && "code" in error ? error.code : error),
  );

base("requests and answers are held to Gitea's own description of its API", ({ skip }) => {
  skip(contract === undefined, whyWithoutContract);
  expect(
    contract?.request({
      method: "GET",
      path: "/nonsense",
      query: new URLSearchParams(),
      json: undefined,
      form: undefined,
    }),
  ).toEqual(["GET /nonsense is not in the document"]);
});

describe.each(kinds)("%s", (kind) => {
  const test = base.extend<{ rig: ForgeRig }>({
    rig: async ({}, use) => {
      await using rig = await createForgeRig(
        kind === "gitea" && contract !== undefined ? { kind, contract } : { kind },
      );
      await use(rig);
    },
  });
  const numberOf = async (rig: ForgeRig): Promise<number> =>
    (await rig.forge.ensurePullRequest(specificationFor(rig), never)).pullRequest.number;

  test("knows who we are, the repository and its branches", async ({ rig }) => {
    const { forge, server, head, headCommit } = rig;
    server.state.protectedBranches.set("main", {});

    expect(forge).toMatchObject({ kind, user: "homelab-bot" });
    expect(await forge.repository(never)).toEqual({
      permissions: { push: true },
      isArchived: false,
      isMirror: false,
      isEmpty: false,
      hasPullRequests: true,
    });
    expect(await forge.branch(head, never)).toMatchObject({ commit: headCommit, isProtected: false });
    expect(await forge.branch(rig.base, never)).toMatchObject({ isProtected: true });
    await server.state.git("update-ref", "-d", `refs/heads/${head}`);
    expect(await forge.branch(head, never)).toBeUndefined();
  });

  test("deletes a branch, and says when it was gone", async ({ rig }) => {
    const { forge, server, head } = rig;
    expect(await forge.deleteBranch(head, never)).toBe("deleted");
    expect(await forge.deleteBranch(head, never)).toBe("absent");
    expect(await server.state.tip(head)).toBeUndefined();
  });

  test("makes one pull request, edits it, and leaves it alone when nothing changed", async ({ rig }) => {
    const { forge, server, headCommit } = rig;
    const first = await forge.ensurePullRequest(specificationFor(rig), never);
    expect(first).toMatchObject({
      type: "created",
      pullRequest: { state: "open", title: "Update: first", headCommit },
    });
    const again = await forge.ensurePullRequest(specificationFor(rig), never);
    expect(again).toEqual({ ...first, type: "unchanged" });
    const writes = server.requests.filter(({ method }) => method !== "GET").length;
    expect(writes).toBe(1);

    const edited = await forge.ensurePullRequest(specificationFor(rig, "second"), never);
    expect(edited).toMatchObject({ type: "edited", pullRequest: { number: 1, title: "Update: second" } });
    expect(server.state.pulls).toHaveLength(1);
  });

  test("does not take a closed pull request of the same branch for an open one", async ({ rig }) => {
    const { forge, head } = rig;
    const number = await numberOf(rig);
    expect(await forge.closePullRequest(number, never)).toMatchObject({ state: "closed" });

    expect(await forge.ensurePullRequest(specificationFor(rig), never)).toMatchObject({
      type: "created",
      pullRequest: { number: number + 1 },
    });
    const closed = await forge.pullRequests({ state: "closed", head }, never);
    expect(closed.map((pull) => pull.number)).toEqual([number]);
  });

  test("a closed pull request keeps the name of its branch when that is deleted", async ({ rig }) => {
    const { forge, head, headCommit } = rig;
    const number = await numberOf(rig);
    await forge.closePullRequest(number, never);
    await forge.deleteBranch(head, never);
    expect(await forge.pullRequests({ state: "closed", head }, never)).toMatchObject([
      { number, head, headCommit },
    ]);
  });

  test("leaves a pull request alone that a person made for the same branch", async ({ rig }) => {
    const { forge, server, head } = rig;
    await server.state.addPull({ head, base: "main", author: "person", title: "Mine", body: "hands off" });
    expect(await forge.ensurePullRequest(specificationFor(rig), never)).toMatchObject({
      type: "foreign",
      pullRequest: { title: "Mine" },
    });
    expect(server.requests.every(({ method }) => method === "GET")).toBe(true);
  });

  test("finds the pull request among 120 others, forks and other bases", async ({ rig }) => {
    const { forge, server, head } = rig;
    await server.remote.commit({ branch: "crowd" });
    // Our own of another week.
    await server.state.addPull({ head: "crowd", base: "main", author: "homelab-bot", body: `${marker} -->` });
    for (let i = 0; i < 120; i++)
      await server.state.addPull({ head: "crowd", base: "main", author: "person" });
    await server.state.addPull({ head, base: "main", author: "stranger", fork: true });
    await server.state.addPull({ head, base: "crowd", author: "person" });
    await server.state.addPull({ head, base: "main", author: "homelab-bot", body: `${marker} -->` });

    expect(await forge.ensurePullRequest(specificationFor(rig), never)).toMatchObject({
      type: "edited",
      pullRequest: { number: 124 },
    });
    expect(await forge.pullRequests({ state: "open" }, never)).toHaveLength(123);
  });

  test("somebody else is quicker to make the pull request", async ({ rig }) => {
    const { forge, server, head } = rig;
    const happens = () =>
      server.state.addPull({ head, base: "main", author: "homelab-bot", body: `${marker} -->` });
    server.faults.add({ method: "POST", path: /\/pulls$/, times: 1, effect: { type: "meanwhile", happens } });

    expect(await forge.ensurePullRequest(specificationFor(rig), never)).toMatchObject({ type: "edited" });
    expect(server.state.pulls).toHaveLength(1);
    expect(server.faults.waiting).toBe(0);
  });

  test("lost answers make nothing twice", async ({ rig }) => {
    const { forge, server } = rig;
    for (const path of [/\/pulls$/, /\/comments$/, /\/labels$/, /\/assets$/, /\/pulls\/1$/]) {
      for (const method of ["POST", "PATCH", "DELETE"]) {
        server.faults.add({ method, path, times: 1, effect: { type: "drop-after" } });
      }
    }
    expect(await forge.ensurePullRequest(specificationFor(rig), never)).toMatchObject({ type: "created" });
    const { comment } = await forge.ensureComment(1, { marker, body: `${marker} --> text` }, never);
    await forge.ensureLabels([labelNamed("needs-review")], never);
    await forge.addLabels(1, ["needs-review"], never);
    await forge.attach(comment.id, { name: "host.log", bytes: new Uint8Array([1]) }, never);
    await forge.closePullRequest(1, never);

    expect(server.state.pulls.map(({ state }) => state)).toEqual(["closed"]);
    expect(server.state.comments).toHaveLength(1);
    expect(server.state.labels).toHaveLength(1);
    expect(server.state.pulls[0]?.labels.map(({ name }) => name)).toEqual(["needs-review"]);
    expect(server.state.comments[0]?.files).toHaveLength(kind === "github" ? 0 : 1);
  });

  test("keeps one comment for each marker, and never edits those of others", async ({ rig }) => {
    const { forge, server } = rig;
    const number = await numberOf(rig);
    server.state.addComment(number, "person", `> ${marker} a -->\nlooks wrong`);
    const specification = { marker: `${marker} a -->`, body: `${marker} a -->\nlog of a` };

    expect(await forge.ensureComment(number, specification, never)).toMatchObject({ type: "created" });
    expect(await forge.ensureComment(number, specification, never)).toMatchObject({ type: "unchanged" });
    const { type, comment } = await forge.ensureComment(
      number,
      { ...specification, body: `${specification.body}!` },
      never,
    );
    expect(type).toBe("edited");
    expect(comment).toMatchObject({ author: "homelab-bot", body: `${specification.body}!` });
    expect((await forge.comments(number, never)).map(({ author }) => author)).toEqual([
      "person",
      "homelab-bot",
    ]);
    expect(server.state.comments[0]?.body).toContain("looks wrong");
  });

  test("finds labels behind a hundred others, and creates only what is missing", async ({ rig }) => {
    const { forge, server } = rig;
    const number = await numberOf(rig);
    server.state.addLabel({ name: "build-failure" });
    for (let i = 0; i < 120; i++) server.state.addLabel({ name: `label-${i}` });

    for (let run = 0; run < 2; run++) {
      await forge.ensureLabels([labelNamed("build-failure"), labelNamed("needs-review")], never);
      await forge.addLabels(number, ["build-failure", "needs-review"], never);
    }
    expect(server.state.labels).toHaveLength(122);
    const labels = async () => (await forge.pullRequests({ state: "open" }, never))[0]?.labels.toSorted();
    expect(await labels()).toEqual(["build-failure", "needs-review"]);

    await forge.removeLabels(number, ["build-failure", "never-there"], never);
    expect(await labels()).toEqual(["needs-review"]);
    expect(await codeOf(forge.addLabels(number, ["no-such"], never))).toBe("FORGE_LABEL");
  });

  test("shows what people did on a pull request", async ({ rig }) => {
    const { forge, server, head } = rig;
    const number = await numberOf(rig);
    await forge.ensureComment(number, { marker, body: marker }, never);
    server.state.addComment(number, "person", "wait");
    await server.remote.commit({ branch: head });
    const pull = server.state.pulls[0];
    pull?.reviews.push(
      { author: "person", state: "APPROVED" },
      { author: "other", state: "REQUEST_REVIEW" },
      { author: "homelab-bot", state: "COMMENT" },
    );

    const activity = await forge.activity(number, never);
    expect(activity.commits).toHaveLength(2);
    expect(activity.commits).toContainEqual({
      message: "Commit 3",
      authorEmail: "test@example.invalid",
    });
    expect(activity.reviews).toBe(1);
  });

  test("a forge that is down is unavailable, and works again when it is back", async ({ rig }) => {
    rig.server.isDown = true;
    await expect(rig.forge.pullRequests({ state: "open" }, never)).rejects.toMatchObject({
      kind: "unavailable",
      code: "FORGE_UNREACHABLE",
    });
    rig.server.isDown = false;
    expect(await rig.forge.pullRequests({ state: "open" }, never)).toEqual([]);
  });

  test("waits out a proxy's error pages and a rate limit", async ({ rig }) => {
    const { forge, server } = rig;
    const effects = [badGateway, tooManyRequests("7")].map((answer) => ({ type: "answer", answer }) as const);
    for (const effect of effects) server.faults.add({ method: "GET", path: /\/pulls$/, times: 1, effect });
    expect(await forge.pullRequests({ state: "open" }, never)).toEqual([]);
    expect(server.requests.slice(-3).map(({ status }) => status)).toEqual([502, 429, 200]);
  });

  test("a sign-in page is no list of pull requests", async ({ rig }) => {
    const { forge, server } = rig;
    server.faults.add({
      method: "GET",
      path: /\/pulls$/,
      times: 1,
      effect: { type: "answer", answer: signInPage },
    });
    await expect(forge.pullRequests({ state: "open" }, never)).rejects.toMatchObject({
      code: "FORGE_BAD_ANSWER",
      message: expect.stringContaining('a web page, "Sign in"'),
    });
  });

  test("a forge that never answers is given up", async ({ rig }) => {
    const { server } = rig;
    const forge = await rig.signIn({ timeoutMs: 30_000 });
    server.faults.add({ method: "GET", path: /\/pulls$/, times: 4, effect: { type: "stall" } });
    await expect(forge.pullRequests({ state: "open" }, never)).rejects.toMatchObject({
      code: "FORGE_UNREACHABLE",
      message: expect.stringContaining("nothing came within 30 s"),
    });
  });

  test("a wrong token is refused at once", async ({ rig }) => {
    await expect(rig.signIn({ token: "wrong-token" })).rejects.toMatchObject({
      kind: "refused",
      code: "FORGE_AUTH",
    });
  });

  test("an archived repository and a reader's token are refused", async ({ rig }) => {
    const { server } = rig;
    const reader = await rig.signIn({ token: server.state.addUser("reader", { canPush: false }).token });
    expect(await codeOf(reader.ensurePullRequest(specificationFor(rig), never))).toBe("FORGE_FORBIDDEN");
    server.state.archived = true;
    expect(await rig.forge.repository(never)).toMatchObject({ isArchived: true });
    expect(await codeOf(rig.forge.ensurePullRequest(specificationFor(rig), never))).toBe(
      kind === "github" ? "FORGE_FORBIDDEN" : "FORGE_ARCHIVED",
    );
  });
});
